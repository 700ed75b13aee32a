// One place in a document: a PDF's page as a picture with the words marked, or the text with the quote marked.

const AROUND = 700; // characters of text before and after a quote

/** The address of a page's picture. */
function pictureOf(place, page, width) {
  const revision = place.revision ? `&revision=${place.revision}` : "";
  return `/v1/documents/${enc(place.document_id)}/pages/${page}?width=${width}${revision}`;
}

/** A page as a picture with boxes over it; `boxes` in points of the page, origin top left. */
function pageWithBoxes(place, page, size, boxes, label) {
  const image = el("img", { src: pictureOf(place, page, 1100), alt: label, decoding: "async" });
  const sheet = el("div", { class: "sheet" }, image);
  sheet.style.aspectRatio = `${size.width} / ${size.height}`;
  for (const box of boxes) {
    const mark = el("div", { class: box.class || "mark", title: box.title, "aria-hidden": "true" });
    mark.style.left = `${(100 * box.x0) / size.width}%`;
    mark.style.top = `${(100 * box.y0) / size.height}%`;
    mark.style.width = `${(100 * (box.x1 - box.x0)) / size.width}%`;
    mark.style.height = `${(100 * (box.y1 - box.y0)) / size.height}%`;
    sheet.append(mark);
  }
  image.addEventListener("error", () => {
    image.replaceWith(el("p", { class: "soft" }, "The picture of this page can't be drawn; its text is below."));
    sheet.style.aspectRatio = "auto";
    sheet.querySelectorAll(".mark").forEach((mark) => mark.remove());
  });
  return sheet;
}

async function pdfPlace(place, page, signal) {
  const revision = place.revision ? `&revision=${place.revision}` : "";
  const path = `/v1/documents/${enc(place.document_id)}/pages/${page}/boxes`;
  const found = await call(`${path}?start=${place.start}&end=${place.end}${revision}`, { signal });
  return pageWithBoxes(place, page, found, found.boxes, `Page ${page} of ${place.title}`);
}

async function textPlace(place, signal) {
  const first = Math.max(0, place.start - AROUND);
  const length = place.end - first + AROUND;
  const revision = place.revision ? `&revision=${place.revision}` : "";
  const path = `/v1/documents/${enc(place.document_id)}/text?start=${first}&length=${length}${revision}`;
  const part = await call(path, { signal });
  const from = place.start - part.start;
  const till = place.end - part.start;
  return el(
    "div",
    { class: "extract", tabindex: "0", role: "region", "aria-label": `Text of ${place.title}` },
    part.start > 0 ? "… " : "",
    part.text.slice(0, from),
    el("mark", {}, part.text.slice(from, till)),
    part.text.slice(till),
    part.end < part.total ? " …" : "",
  );
}

/** Fill `body` with the place; `facts` gets date and link. Throws Refused. */
async function showPlace(body, facts, place, signal) {
  const about = await call(`/v1/documents/${enc(place.document_id)}`, { signal }).catch((error) => {
    if (error.name === "AbortError") throw error;
    return null; // a file attached to a conversation is in no list
  });
  const type = about ? about.type : place.source.split(".").pop().toLowerCase();
  const date = about ? day(about.dated || about.modified) : "";
  const revision = place.revision ? `?revision=${place.revision}` : "";
  facts.replaceChildren(
    ...[
      place.page ? el("span", {}, `Page ${place.page}`) : null,
      date ? el("span", {}, date) : null,
      el("span", { class: "name", title: place.source }, nameOf(place.source)),
      el("a", { href: `/v1/documents/${enc(place.document_id)}/original${revision}`, download: true }, "Original"),
    ].filter(Boolean),
  );
  if (type === "pdf" && place.page) body.replaceChildren(await pagesAround(place, about ? about.pages : null, signal));
  else body.replaceChildren(await textPlace(place, signal));
  const marked = body.querySelector("mark, .mark");
  if (marked) marked.scrollIntoView({ block: "center" });
}

/** The cited page, with ways to the pages before and after it. */
async function pagesAround(place, pages, signal) {
  const holder = el("div", { class: "pages" });
  const show = async (page) => {
    const sheet = await pdfPlace(place, page, signal);
    const turn = (to, label, sign) =>
      el("button", { type: "button", "aria-label": label, disabled: to < 1 || (pages && to > pages),
        onclick: () => show(to).catch((error) => holder.append(el("p", { class: "fault" }, error.message))) }, sign);
    const where = pages ? `Page ${page} of ${pages}` : `Page ${page}`;
    holder.replaceChildren(
      el("div", { class: "turn" }, turn(page - 1, "Page before", "‹"), el("span", { role: "status" }, where),
        turn(page + 1, "Page after", "›")),
      sheet,
    );
  };
  await show(place.page);
  return holder;
}
