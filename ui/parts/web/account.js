// Signing out, and one's own password: between browser and service, never through Streamlit.

const SEEN_MS = 2000; // so long the good news stands before the page is loaded anew with the new session

class Account {
  constructor(root) {
    this.status = el("p", { class: "soft", role: "status" });
    this.old = el("input", { type: "password", id: "old", autocomplete: "current-password", required: true, maxlength: 1000 });
    this.fresh = el("input", { type: "password", id: "new", autocomplete: "new-password", required: true, maxlength: 1000 });
    const form = el("form", { onsubmit: (event) => this.change(event) },
      el("h2", {}, "Password"),
      el("label", { for: "old" }, "Now"), this.old, el("label", { for: "new" }, "From now on"), this.fresh,
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
      const json = { old: this.old.value, new: this.fresh.value };
      await call("/v1/session/password", { method: "PUT", csrf: this.csrf, json });
      this.status.textContent = "It is changed; other browsers are signed out.";
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
