// Files from the visitor straight to the service, with progress; they never pass through Streamlit.

const MOST = 100; // files that the service takes at once

class Uploads {
  constructor(root) {
    this.input = el("input", { type: "file", multiple: true, class: "pick", id: "pick",
      onchange: () => this.take(this.input.files) });
    this.hint = el("span", { class: "soft" });
    this.zone = el("label", { class: "zone", for: "pick" },
      el("strong", {}, "Drop files here"), el("span", {}, "or choose them"), this.hint, this.input);
    this.list = el("ul", { class: "files", "aria-live": "polite" });
    for (const name of ["dragenter", "dragover"])
      this.zone.addEventListener(name, (event) => { event.preventDefault(); this.zone.classList.add("over"); });
    for (const name of ["dragleave", "drop"])
      this.zone.addEventListener(name, (event) => { event.preventDefault(); this.zone.classList.remove("over"); });
    this.zone.addEventListener("drop", (event) => this.take(event.dataTransfer.files));
    root.append(el("div", { class: "uploads" }, this.zone, this.list));
  }

  update({ data, setTriggerValue }) {
    this.trigger = setTriggerValue;
    this.data = data;
    this.hint.textContent = data.hint;
    this.input.multiple = !data.single;
    this.input.disabled = data.disabled;
    this.zone.classList.toggle("off", data.disabled);
  }

  async take(files) {
    if (!files.length || this.data.disabled) return;
    const { url, fields, single } = this.data;
    // a job for all that were dropped together; where the service takes one file at a time, one after the other
    const size = single ? 1 : MOST;
    const groups = Array.from({ length: Math.ceil(files.length / size) }, (_, at) => [...files].slice(at * size, (at + 1) * size));
    this.list.replaceChildren();
    let last = null;
    for (const group of groups) {
      const form = new FormData();
      for (const [name, value] of Object.entries(fields)) form.append(name, value);
      for (const file of group) form.append(single ? "file" : "files", file, file.webkitRelativePath || file.name);
      last = (await this.send(url, form, group)) || last;
    }
    this.input.value = "";
    if (last) this.trigger("sent", last);
  }

  send(url, form, group) {
    const name = group.length === 1 ? group[0].name : `${group.length} files`;
    const bar = el("progress", { max: 1, value: 0, "aria-label": `Sending ${name}` });
    const says = el("span", { class: "soft" }, "0 %");
    const row = el("li", {}, el("span", { class: "name" }, name), bar, says);
    this.list.append(row);
    // fetch tells nothing about how far a request is
    const request = new XMLHttpRequest();
    request.open("POST", url);
    request.setRequestHeader("x-csrf-token", this.data.csrf);
    request.upload.addEventListener("progress", (event) => {
      if (!event.lengthComputable) return;
      bar.value = event.loaded / event.total;
      says.textContent = event.loaded < event.total ? `${Math.round(100 * bar.value)} %` : "being looked at…";
    });
    return new Promise((settled) => {
      const refused = (sentence) => {
        bar.remove();
        says.className = "fault";
        says.textContent = sentence;
        settled(null);
      };
      request.addEventListener("error", () => refused(UNREACHABLE));
      request.addEventListener("load", () => {
        let told = null;
        try { told = JSON.parse(request.responseText); } catch { /* said below */ }
        if (request.status >= 400) return refused((told && told.detail) || `The service failed with status ${request.status}.`);
        bar.remove();
        says.textContent = "sent";
        settled(told && told.id ? { job: told.id } : { files: group.length });
      });
      request.send(form);
    });
  }
}

export default function (component) {
  const root = component.parentElement;
  kept(root, () => new Uploads(root)).update(component);
}
