// A look into a document: its chunks, and for a PDF where they stand on the page.

const AT_ONCE = 100;

class Viewer {
  constructor(root) {
    this.where = el("div", { class: "turn" });
    this.page = el("div", { class: "page" });
    this.list = el("ol", { class: "chunks" });
    this.status = el("p", { class: "soft", role: "status" });
    root.append(el("div", { class: "viewer" }, this.page, el("div", { class: "side" }, this.where, this.list, this.status)));
  }

  async update({ data }) {
    if (this.id === data.id && this.revision === data.revision) return;
    Object.assign(this, { id: data.id, revision: data.revision, data, chunks: [], total: null });
    this.drawn = data.type === "pdf" && data.pages > 0;
    this.page.hidden = !this.drawn;
    this.page.parentElement.classList.toggle("plain", !this.drawn);
    this.list.replaceChildren();
    this.status.textContent = "Opening…";
    try {
      if (this.drawn) await this.turn(1);
      else await this.more();
    } catch (error) {
      this.status.textContent = error.message;
    }
  }

  /** The next chunks from the service; whether there were any. Who asks meanwhile waits for the same ones. */
  load() {
    this.loading ??= this.fetch().finally(() => (this.loading = null));
    return this.loading;
  }

  async fetch() {
    if (this.total !== null && this.chunks.length >= this.total) return false;
    const told = await call(`/v1/documents/${enc(this.id)}/chunks?start=${this.chunks.length}&limit=${AT_ONCE}`);
    this.total = told.total;
    this.chunks.push(...told.chunks);
    return told.chunks.length > 0;
  }

  async more() {
    await this.load();
    for (const chunk of this.chunks.slice(this.list.childElementCount)) this.list.append(this.card(chunk, []));
    this.status.textContent = this.total === 0 ? "There is no text in it." : "";
    this.where.replaceChildren(el("span", {}, `${this.chunks.length} of ${this.total} chunks`));
    if (this.chunks.length < this.total)
      this.status.replaceChildren(el("button", { type: "button", onclick: () => this.more() }, "Show more"));
  }

  async turn(page) {
    this.status.textContent = "Opening…";
    // chunks come in the order of the text, so one that begins on a later page says that this page is complete
    while (!this.chunks.some((chunk) => chunk.pages.length && Math.min(...chunk.pages) > page) && (await this.load()));
    const here = this.chunks.filter((chunk) => chunk.pages.includes(page));
    const first = here[0];
    const span = first ? { start: first.start, end: first.start + 1 } : { start: 0, end: 1 };
    const size = await call(`/v1/documents/${enc(this.id)}/pages/${page}/boxes?start=${span.start}&end=${span.end}`);
    const boxes = here.flatMap((chunk, index) =>
      chunk.boxes.filter((box) => box.page === page).map((box) =>
        ({ ...box, class: `chunk tone${index % 4}`, title: `Chunk ${chunk.ordinal + 1}` })));
    const place = { document_id: this.id, revision: this.revision };
    const sheet = pageWithBoxes(place, page, size, boxes, `Page ${page} of ${this.data.title}`);
    this.page.replaceChildren(sheet);
    const marks = [...sheet.querySelectorAll(".chunk")];
    this.list.replaceChildren(...here.map((chunk, index) =>
      this.card(chunk, marks.filter((mark) => mark.title === `Chunk ${chunk.ordinal + 1}`), index % 4)));
    const button = (to, label, sign) => el("button", { type: "button", "aria-label": label, disabled: to < 1 || to > this.data.pages,
      onclick: () => this.turn(to).catch((error) => { this.status.textContent = error.message; }) }, sign);
    this.where.replaceChildren(button(page - 1, "Page before", "‹"),
      el("span", { role: "status" }, `Page ${page} of ${this.data.pages}`), button(page + 1, "Page after", "›"));
    this.status.textContent = here.length ? "" : "No chunk of this document is on this page.";
  }

  card(chunk, marks, tone) {
    const light = (on) => () => marks.forEach((mark) => mark.classList.toggle("lit", on));
    return el("li", { class: tone === undefined ? "" : `tone${tone}`, tabindex: "0", onmouseenter: light(true),
      onmouseleave: light(false), onfocus: light(true), onblur: light(false) },
      el("p", { class: "soft" }, `${chunk.ordinal + 1}`, chunk.headings.length ? ` · ${chunk.headings.join(" › ")}` : "",
        chunk.pages.length ? ` · p. ${chunk.pages.join(", ")}` : ""),
      el("div", { class: "words" }, chunk.text));
  }
}

export default function (component) {
  const root = component.parentElement;
  kept(root, () => new Viewer(root)).update(component);
}
