// What all parts of the page share. Whatever comes from documents, models or people goes in as text, never as HTML.

const SPOKEN = new Set(["title", "aria-label", "placeholder", "alt"]);

/** An element with properties and children; strings become text nodes, with what isn't seen in them marked. */
function el(tag, properties = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else if (name === "class") made.className = value;
    else made.setAttribute(name, value === true ? "" : SPOKEN.has(name) ? seen(String(value)) : String(value));
  }
  const shown = children.filter((child) => child !== null && child !== undefined);
  made.append(...shown.map((child) => (child instanceof Node ? child : seen(String(child)))));
  return made;
}

/** What the service refused, in its own sentence. */
class Refused extends Error {
  constructor(sentence, status) {
    super(sentence);
    this.status = status;
  }
}

const UNREACHABLE = "The service can't be reached at the moment; try again when it is back.";

async function sentenceOf(response) {
  if (response.status === 401) return "You are signed out; sign in again.";
  try {
    return (await response.json()).detail || `The service failed with status ${response.status}.`;
  } catch {
    return `The service failed with status ${response.status}.`;
  }
}

/** Call the service in the visitor's session; throws Refused. */
async function call(path, { method = "GET", csrf = "", json, body, signal } = {}) {
  const headers = {};
  if (method !== "GET") headers["x-csrf-token"] = csrf;
  if (json !== undefined) headers["content-type"] = "application/json";
  let response;
  try {
    response = await fetch(path, { method, headers, body: json !== undefined ? JSON.stringify(json) : body, signal });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Refused(UNREACHABLE, 0);
  }
  if (!response.ok) throw new Refused(await sentenceOf(response), response.status);
  return response.status === 204 ? null : response.json();
}

const enc = encodeURIComponent;

/** The part's own state, kept while Streamlit draws the page anew around it. */
function kept(root, make) {
  if (!root.ragapp) root.ragapp = make();
  return root.ragapp;
}

/** A link to sign in that comes back here. */
function signInLink() {
  const here = location.pathname + location.search;
  return el("a", { href: `/sign-in?next=${enc(here)}`, target: "_self" }, "Sign in");
}

/** A file's own name, and for what lies in a mail or an archive the names that lead to it. */
function nameOf(source) {
  return source.split("!/").map((part) => part.split("/").filter(Boolean).pop() || part).join(" › ");
}

function day(iso) {
  if (!iso) return "";
  const date = new Date(iso);
  return Number.isNaN(date.valueOf()) ? "" : date.toLocaleDateString(undefined, { dateStyle: "medium" });
}
