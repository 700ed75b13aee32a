// Passages that the retriever found, with what each stage thought of them.

const STAGES = { dense: "Meaning", bm25: "Words", fused: "Both", rerank: "Reranked" };

class Found {
  constructor(root) {
    this.list = el("ol", { class: "passages" });
    root.append(el("div", { class: "found" }, this.list));
  }

  update({ data }) {
    const told = JSON.stringify(data.passages);
    if (told === this.told) return;
    this.told = told;
    this.list.replaceChildren(...data.passages.map((passage, index) => this.draw(passage, index + 1)));
  }

  draw(passage, rank) {
    const place = el("div", { class: "place", hidden: true });
    const open = el("button", { type: "button", "aria-expanded": "false", onclick: () => this.toggle(passage, place, open) },
      passage.page ? `Show page ${passage.page}` : "Show in its text");
    const stages = Object.keys(passage.ranks).map((stage) =>
      el("tr", {}, el("th", { scope: "row" }, STAGES[stage] || stage), el("td", {}, passage.ranks[stage]),
        el("td", {}, stage in passage.scores ? Number(passage.scores[stage]).toFixed(4) : "")));
    return el("li", {},
      el("div", { class: "top" },
        el("h3", {}, el("span", { class: "number" }, rank), passage.title),
        el("p", { class: "soft" }, [passage.heading, passage.page ? `p. ${passage.page}` : "", passage.collection,
          day(passage.date), nameOf(passage.source)].filter(Boolean).join(" · "))),
      el("div", { class: "halves" },
        el("div", { class: "words" }, passage.text),
        el("table", {}, el("caption", { class: "soft" }, "Rank and score by stage"),
          el("thead", {}, el("tr", {}, ...["Stage", "Rank", "Score"].map((head) => el("th", { scope: "col" }, head)))),
          el("tbody", {}, ...stages))),
      open, place);
  }

  async toggle(passage, place, open) {
    place.hidden = !place.hidden;
    open.setAttribute("aria-expanded", String(!place.hidden));
    if (place.hidden || place.childNodes.length) return;
    const facts = el("p", { class: "facts soft" });
    const body = el("div", {}, el("p", { class: "soft", role: "status" }, "Opening…"));
    place.append(facts, body);
    await showPlace(body, facts, passage, undefined).catch((error) =>
      body.replaceChildren(el("p", { class: "fault" }, error.message)));
  }
}

export default function (component) {
  const root = component.parentElement;
  kept(root, () => new Found(root)).update(component);
}
