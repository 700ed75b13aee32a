# Caddy for whoever runs it. The binary of the image carries the right to open low ports as an attribute, and with all
# rights dropped the kernel refuses to start such a binary at all; a copy has no attributes. Its certificates get a folder
# of that user's, since /data belongs to root there.
FROM caddy:2.11.4-alpine
RUN cp /usr/bin/caddy /usr/bin/caddy-plain \
    && mv /usr/bin/caddy-plain /usr/bin/caddy \
    && install -d -o 10001 -g 10001 -m 0700 /certificates
ENV XDG_DATA_HOME=/certificates \
    XDG_CONFIG_HOME=/tmp
USER 10001:10001
