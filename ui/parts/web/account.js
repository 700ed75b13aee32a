// Signing out, and one's own password: between browser and service, never through Streamlit.

const SEEN_MS = 2000; // so long the good news stands before the page is loaded anew with the new session

class Account {
  constructor(root) {
    this.status = el("p", { class: "soft", role: "status" });
    this.old = el("input", { type: "password", id: "old", autocomplete: "current-password", required: true, maxlength: 1000 });
    this.fresh = el("input", { type: "password", id: "new", autocomplete: "new-password", required: true, maxlength: 1000 });
    this.tokens = el("input", { type: "checkbox", id: "end-tokens" });
    const form = el("form", { onsubmit: (event) => this.change(event) },
      el("h2", {}, "Password"),
      el("label", { for: "old" }, "Now"), this.old, el("label", { for: "new" }, "From now on"), this.fresh,
      el("p", { class: "soft" }, "At least 12 characters, and none of the common ones; a sentence is easy to keep in mind."),
      el("label", { class: "tick", for: "end-tokens" }, this.tokens, " Revoke my API tokens too"),
      el("button", { type: "submit" }, "Change the password"), this.status);
    const out = el("button", { type: "button", class: "out", onclick: () => this.leave() }, "Sign out");
    root.append(el("div", { class: "account" }, out, form));
  }

  update({ data }) {
    this.csrf = data.csrf;
  }

  async change(event) {
    event.preventDefault();
    try {
      const json = { old: this.old.value, new: this.fresh.value, end_tokens: this.tokens.checked };
      await call("/v1/session/password", { method: "PUT", csrf: this.csrf, json });
      this.status.textContent = this.tokens.checked
        ? "It is changed; other browsers are signed out, and no API token opens anything any more."
        : "It is changed; other browsers are signed out.";
      setTimeout(() => location.reload(), SEEN_MS);
    } catch (error) {
      this.status.textContent = error.message;
    }
  }

  async leave() {
    try {
      await call("/v1/session", { method: "DELETE", csrf: this.csrf });
      location.assign("/sign-in");
    } catch (error) {
      this.status.textContent = error.message;
    }
  }
}

export default function (component) {
  const root = component.parentElement;
  kept(root, () => new Account(root)).update(component);
}
