// An answer as it comes, with its citations beside it.

const TRIES_S = [0.5, 1, 2, 4, 5];
const LONG_S = 1.5; // after so long without news one is told why
const NARROW = "(max-width: 60rem)";

class AnswerView {
  constructor(root) {
    this.root = root;
    this.sentences = [];
    this.citations = new Map();
    this.lastId = 0;
    this.done = null;
    this.build();
  }

  build() {
    this.status = el("p", { class: "status", role: "status" });
    this.text = el("div", { class: "text", "aria-live": "polite" });
    this.more = el("div", { class: "more" });
    this.actions = el("div", { class: "actions" });
    this.form = el("form", { class: "why", hidden: true, onsubmit: (event) => this.explain(event) });
    this.panel = el("dialog", { class: "source", "aria-labelledby": "source-title" });
    this.panel.addEventListener("close", () => this.closed());
    this.panel.addEventListener("keydown", (event) => {
      if (event.key !== "Escape") return;
      event.preventDefault();
      this.panel.close();
    });
    const main = el("div", { class: "main" }, this.text, this.status, this.more, this.actions, this.form);
    this.frame = el("div", { class: "answer" }, main, this.panel);
    this.root.append(this.frame);
  }

  /** New data from Streamlit: another answer, or the same once more. */
  update({ data, setTriggerValue }) {
    this.trigger = setTriggerValue;
    this.csrf = data.csrf;
    if (this.id === data.id) {
      this.feedback = this.feedback ?? data.feedback;
      if (this.done) return;
      if (data.answer) {
        this.leave();
        this.settle(data.answer);
      } else if (this.reading.signal.aborted) this.follow();
      return;
    }
    this.leave();
    this.id = data.id;
    this.frame.dataset.answer = data.id;
    this.question = data.question;
    this.feedback = data.feedback;
    this.sentences = [];
    this.citations = new Map();
    this.lastId = 0;
    this.done = null;
    this.text.replaceChildren();
    this.more.replaceChildren();
    if (data.answer) this.settle(data.answer);
    else this.follow();
  }

  leave() {
    if (this.reading) this.reading.abort();
    if (this.looking) this.looking.abort();
    clearTimeout(this.silence);
  }

  // reading the events

  async follow() {
    const reading = (this.reading = new AbortController());
    this.drawActions();
    this.say("Your question is on its way.");
    for (let tried = 0; !this.done && !reading.signal.aborted; ) {
      this.expectNews();
      try {
        if (await this.read(reading.signal)) tried = 0;
        if (this.done) return;
      } catch (error) {
        if (reading.signal.aborted) return;
        if (error.status === 401) return this.signedOut();
        if (error.status === 404) return this.fail("This answer is no more; ask again.");
      }
      clearTimeout(this.silence);
      this.say("The connection was lost; the answer goes on here by itself when it is back.");
      await new Promise((wake) => setTimeout(wake, 1000 * TRIES_S[Math.min(tried++, TRIES_S.length - 1)]));
    }
  }

  /** Read until the connection ends; whether anything came. */
  async read(signal) {
    const headers = this.lastId ? { "last-event-id": String(this.lastId) } : {};
    const response = await fetch(`/v1/answers/${enc(this.id)}/events`, { headers, signal });
    if (!response.ok) throw new Refused(await sentenceOf(response), response.status);
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    let rest = "";
    let came = false;
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return came;
      rest += value;
      const whole = rest.split("\n\n");
      rest = whole.pop();
      for (const text of whole) came = this.hear(text) || came;
    }
  }

  hear(text) {
    const event = { id: 0, name: "", data: "" };
    for (const line of text.split("\n")) {
      if (line.startsWith("id: ")) event.id = Number(line.slice(4));
      else if (line.startsWith("event: ")) event.name = line.slice(7);
      else if (line.startsWith("data: ")) event.data += line.slice(6);
    }
    if (!event.name) return false;
    const ends = event.name === "done" || event.name === "error";
    if (event.id && event.id <= this.lastId && !ends) return true;
    if (event.id) this.lastId = event.id;
    this.expectNews();
    const data = JSON.parse(event.data);
    if (event.name === "queued") this.say(data.place > 1 ? `${data.place - 1} before you in the line.` : "You are next.");
    else if (event.name === "running") this.say("Looking through your documents…");
    else if (event.name === "passages") this.found(data.passages);
    else if (event.name === "citation") this.citations.set(data.marker, data);
    else if (event.name === "sentence") this.add(data);
    else if (event.name === "done") this.settle(data);
    else if (event.name === "error") this.settle({ ...data, reason: data.detail });
    return true;
  }

  /** Where nothing comes for a while, ask whether the model is still being loaded. */
  expectNews() {
    clearTimeout(this.silence);
    this.silence = setTimeout(async () => {
      const told = await call("/v1/models").catch(() => null);
      if (this.done || !told) return;
      if (told.engine.state === "loading") this.say("The model is being loaded; your question waits and is answered then.");
      else if (told.engine.state !== "ready") this.say("The model is being started again; your question waits.");
      this.expectNews();
    }, 1000 * LONG_S);
  }

  found(passages) {
    const documents = new Set(passages.map((passage) => passage.document_id)).size;
    if (documents) this.say(`Reading ${count(passages.length, "passage")} of ${count(documents, "document")}…`);
  }

  add(sentence) {
    this.sentences.push(sentence);
    this.text.append(this.drawSentence(sentence));
    this.say("Writing…");
  }

  drawSentence(sentence) {
    const starts = /^\s*([-*•]|\d+[.)])\s/.test(sentence.text) ? "\n" : this.text.childNodes.length ? " " : "";
    const markers = sentence.markers.map((marker) => this.drawMarker(marker));
    if (sentence.supported || !sentence.text.trim()) return el("span", {}, starts, sentence.text, ...markers);
    const badge = el("span", { class: "badge" }, "no source");
    return el("span", { class: "unsupported", title: "Nothing that was found says this." }, starts,
      el("span", { class: "doubt" }, sentence.text), badge, ...markers);
  }

  drawMarker(marker) {
    const cited = this.citations.get(marker);
    const where = cited ? `${cited.title}${cited.page ? `, page ${cited.page}` : ""}` : "";
    return el("button", { type: "button", class: "marker", "data-marker": marker, title: where,
      "aria-label": `Source ${marker}: ${where}`, onclick: (event) => this.open(marker, event.currentTarget) }, marker);
  }

  // the end

  settle(answer) {
    this.done = answer;
    clearTimeout(this.silence);
    for (const cited of answer.citations || []) this.citations.set(cited.marker, cited);
    // who lost rights while it was told has no more of it before their eyes
    if (answer.withheld && !answer.sentences) answer = { ...answer, sentences: [] };
    if (answer.sentences) {
      this.sentences = answer.sentences;
      this.text.replaceChildren();
      for (const sentence of answer.sentences) this.text.append(this.drawSentence(sentence));
    }
    this.say("");
    this.more.replaceChildren();
    if (answer.withheld) this.say(answer.reason || answer.answer);
    else if (answer.state === "not_found") this.notFound(answer);
    else if (answer.state === "failed" || answer.state === "stopped") this.say(answer.reason || "There is no answer.");
    else this.drawSources();
    this.drawActions();
  }

  fail(sentence) {
    this.settle({ state: "failed", reason: sentence });
  }

  signedOut() {
    this.done = { state: "failed" };
    this.status.replaceChildren("You are signed out. ", signInLink());
  }

  notFound(answer) {
    // the service's sentence is in the language of the question
    if (!this.sentences.length) this.text.replaceChildren(el("span", {}, answer.answer));
    if (!answer.nearest || !answer.nearest.length) return;
    this.more.replaceChildren(
      el("p", { class: "soft" }, "What came nearest:"),
      el("ul", { class: "nearest" },
        ...answer.nearest.map((near) =>
          el("li", {}, near.title, el("span", { class: "soft", title: near.source },
            ` ${nameOf(near.source)}${near.page ? `, page ${near.page}` : ""}`)))),
    );
  }

  drawSources() {
    const used = [...new Set(this.sentences.flatMap((sentence) => sentence.markers))].sort((a, b) => a - b);
    const cited = used.map((marker) => this.citations.get(marker)).filter(Boolean);
    if (!cited.length) return;
    this.more.replaceChildren(
      el("ol", { class: "sources", "aria-label": "Sources" },
        ...cited.map((each) => el("li", {},
          el("button", { type: "button", "data-source": each.marker,
            onclick: (event) => this.open(each.marker, event.currentTarget) },
            el("span", { class: "number" }, each.marker), el("span", { class: "title" }, each.title),
            el("span", { class: "soft" }, [lastOf(each.heading), each.page ? `p. ${each.page}` : ""].filter(Boolean).join(" · ")),
            el("span", { class: "snippet" }, each.quote))))),
    );
  }

  // what one can do

  drawActions() {
    const button = (icon, label, title, onclick, more = {}) =>
      el("button", { type: "button", title, "aria-label": title, onclick, ...more },
        el("span", { class: "icon", "aria-hidden": "true" }, icon), label);
    this.form.hidden = true;
    if (!this.done) {
      this.actions.replaceChildren(button("stop_circle", "Stop", "Stop this answer", () => this.stop()));
      return;
    }
    const given = (good) => ({ "aria-pressed": String(this.feedback === (good ? "good" : "bad")) });
    const answered = this.done.state === "answered" || this.done.state === "not_found";
    this.actions.replaceChildren(
      ...[
        button("refresh", "Again", "Answer this question again", () => this.trigger("again", this.id)),
        answered ? button("content_copy", "Copy", "Copy the answer with its sources", () => this.copy()) : null,
        answered ? button("thumb_up", "", "This helped", () => this.judge(true), given(true)) : null,
        answered ? button("thumb_down", "", "This did not help", () => this.judge(false), given(false)) : null,
      ].filter(Boolean),
    );
  }

  async stop() {
    this.say("Stopping…");
    await call(`/v1/answers/${enc(this.id)}`, { method: "DELETE", csrf: this.csrf }).catch((error) => this.say(error.message));
  }

  async copy() {
    const lines = [this.text.innerText.trim(), ""];
    for (const [marker, cited] of this.citations)
      lines.push(`[${marker}] ${cited.title}${cited.page ? `, page ${cited.page}` : ""} (${nameOf(cited.source)})`);
    try {
      await navigator.clipboard.writeText(lines.join("\n").trim() + "\n");
      this.say("Copied.");
    } catch {
      this.say("The browser doesn't let this page copy; mark the text and copy it yourself.");
    }
  }

  async judge(good, reason = "") {
    try {
      await call("/v1/feedback", { method: "PUT", csrf: this.csrf, json: { answer_id: this.id, good, reason } });
    } catch (error) {
      return this.say(error.message);
    }
    this.feedback = good ? "good" : "bad";
    this.drawActions();
    if (reason || good) return this.say("Thank you.");
    this.ask();
  }

  ask() {
    const reasons = ["It is wrong", "It misses something", "The source doesn't say this", "It took too long"];
    const chosen = el("select", { "aria-label": "What was wrong" }, ...reasons.map((each) => el("option", {}, each)));
    const words = el("input", { type: "text", maxlength: 1900, placeholder: "In your own words (optional)",
      "aria-label": "In your own words" });
    this.reasonOf = () => [chosen.value, words.value.trim()].filter(Boolean).join(": ");
    this.form.replaceChildren(chosen, words, el("button", { type: "submit" }, "Send"));
    this.form.hidden = false;
    chosen.focus();
  }

  explain(event) {
    event.preventDefault();
    this.form.hidden = true;
    this.judge(false, this.reasonOf());
  }

  // the citation beside it

  async open(marker, opener) {
    const cited = this.citations.get(marker);
    if (!cited) return;
    if (this.looking) this.looking.abort();
    const looking = (this.looking = new AbortController());
    this.opener = opener;
    this.frame.classList.add("open");
    this.markOpen(marker);
    const facts = el("p", { class: "facts" });
    const body = el("div", { class: "body" }, el("p", { class: "soft", role: "status" }, "Opening…"));
    this.panel.replaceChildren(
      el("div", { class: "head" },
        el("h3", { id: "source-title" }, el("span", { class: "number" }, marker), cited.title),
        el("button", { type: "button", class: "close", "aria-label": "Close", onclick: () => this.panel.close() }, "×")),
      ...[cited.heading ? el("p", { class: "heading" }, cited.heading) : null].filter(Boolean),
      facts,
      el("blockquote", {}, cited.quote),
      body,
    );
    if (!this.panel.open) {
      if (window.matchMedia(NARROW).matches) this.panel.showModal();
      else this.panel.show();
    }
    this.panel.querySelector(".close").focus({ preventScroll: true });
    try {
      await showPlace(body, facts, cited, looking.signal);
    } catch (error) {
      if (error.name !== "AbortError") body.replaceChildren(el("p", { class: "fault" }, error.message));
    }
  }

  markOpen(marker) {
    for (const button of this.frame.querySelectorAll("button.marker"))
      button.setAttribute("aria-expanded", String(button.dataset.marker === String(marker)));
  }

  closed() {
    this.frame.classList.remove("open");
    this.markOpen(null);
    if (this.opener && this.opener.isConnected) this.opener.focus({ preventScroll: true });
  }

  say(sentence) {
    this.status.textContent = sentence;
    this.status.classList.toggle("working", !this.done && sentence !== "");
  }
}

/** The nearest of the headings that a passage stands under. */
function lastOf(path) {
  return path ? path.split(" > ").pop() : "";
}

function count(number, noun) {
  return `${number} ${noun}${number === 1 ? "" : "s"}`;
}

export default function (component) {
  const root = component.parentElement;
  const view = kept(root, () => new AnswerView(root));
  clearTimeout(view.leaving);
  view.update(component);
  // drawn anew a moment later in most cases, and then it goes on reading
  return () => {
    view.leaving = setTimeout(() => view.leave(), 2000);
  };
}
