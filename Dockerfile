# The service and its page in one image, set up by the same words that a person types: make setup.
#
#   docker build -t ragapp:gpu .                        (--build-arg SET=cpu -t ragapp:cpu for a machine without a GPU)
#
# A package mirror is named in a pip.conf that no layer keeps: --secret id=pip.conf,src=$HOME/.config/pip/pip.conf
FROM python:3.11.15-slim-bookworm

ARG SET=gpu
# programs of Debian's besides, such as "tesseract-ocr tesseract-ocr-deu poppler-utils" for ingest.ocr
ARG PACKAGES=""

# g++ stays in the image: Triton and FlashInfer compile for the GPU they find, when they find it. vLLM's build for CPUs
# is linked against libnuma.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends g++ libc6-dev libnuma1 make ${PACKAGES} \
    && rm -rf /var/lib/apt/lists/*

# One fixed number, so that volumes keep their owner across images. A named volume takes over owner and mode of the folder
# it is first mounted on, which is why /data is made here.
RUN groupadd --gid 10001 ragapp \
    && useradd --uid 10001 --gid ragapp --create-home ragapp \
    && install --directory --owner ragapp --group ragapp --mode 0700 /data

WORKDIR /app

# What the set-up reads comes before the code, so that a change of code doesn't install everything anew. Bytecode is
# compiled now, because the container can't write it later.
COPY Makefile pyproject.toml README.md LICENSE ./
COPY configs/locks configs/locks
COPY configs/setup configs/setup
RUN --mount=type=cache,target=/root/.cache \
    --mount=type=secret,id=pip.conf,target=/etc/pip.conf \
    UV_COMPILE_BYTECODE=1 UV_LINK_MODE=copy make setup SET="${SET}"

# A clone made under a strict umask has files that only its owner reads; the container is somebody else.
COPY . .
RUN chmod -R a+rX configs examples ingest ragapp ui \
    && .venv/bin/python -m compileall -q ingest ragapp ui

# The code belongs to root and is read only to whoever runs it; what is written goes to /data, what is compiled to the home.
ENV PATH=/app/.venv/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    HOME=/home/ragapp \
    TORCHINDUCTOR_CACHE_DIR=/home/ragapp/.cache/torchinductor \
    RAGAPP_DATA=/data
USER 10001:10001
EXPOSE 8400
ENTRYPOINT ["ragapp"]
CMD ["serve", "--host", "0.0.0.0"]
