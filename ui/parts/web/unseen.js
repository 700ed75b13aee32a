// What isn't seen in a text, or turns its order, made to be seen: as the service does it (ragapp/answer/unseen.py).

const FLAGS = ["gbeng", "gbsct", "gbwls"].map((region) =>
  `\u{1F3F4}${[...region].map((letter) => String.fromCodePoint(0xE0000 + letter.codePointAt(0))).join("")}\u{E007F}`);
const UNSEEN = "\\u0000-\\u0008\\u000B-\\u001F\\u007F-\\u009F\\u2028\\u2029\\uD800-\\uDFFF\\u061C\\u200B-\\u200F\\u202A-\\u202E"
  + "\\u2060-\\u206F\\u00AD\\u034F\\u115F\\u1160\\u17B4\\u17B5\\u180B-\\u180F\\u3164\\uFE00-\\uFE0F\\uFEFF\\uFFA0\\uFFF0-\\uFFFB"
  + "\\u{1BCA0}-\\u{1BCA3}\\u{1D173}-\\u{1D17A}\\u{E0000}-\\u{E0FFF}";
const RUN = new RegExp(`(${FLAGS.join("|")})|[${UNSEEN}]+`, "gu");
const IN_RUN = new RegExp(`^(?:${FLAGS.join("|")}|[${UNSEEN}])`, "u");
const NOTHING_LOST = /^[\u00AD\u034F\u061C\u17B4\u17B5\u180B-\u180F\u200B-\u200F\u2060-\u2064\uFEFF]$/u;
const LINES = /^[\r\u000B\u000C\u0085\u2028\u2029]$/;
const JOINERS = /^[\u200C\u200D]$/;
const COMPLEX = /^[\u0600-\u08FF\u0900-\u0DFF\u0F00-\u109F\u1780-\u18AF\uA840-\uA8FF\uFB50-\uFDFF\uFE70-\uFEFC]$/;
const EMOJI = new RegExp("^[\\u00A9\\u00AE\\u203C\\u2049\\u2122\\u2139\\u2190-\\u21FF\\u2300-\\u27BF\\u2934\\u2935\\u2B00-\\u2BFF"
  + "\\u3030-\\u303D\\u3297-\\u3299\\u{1F000}-\\u{1FAFF}]$", "u");
const IDEOGRAPH = /^[\u3400-\u4DBF\u4E00-\u9FFF\uF900-\uFAFF\u{20000}-\u{3FFFF}]$/u;
const SHOWN = 3;

/** The text with nothing in it that isn't seen; one that needs none of it comes back as it is. */
function seen(text) {
  return text.replace(RUN, (run, flag, at, whole) => (flag ? run : spelled(run, at, whole)));
}

function spelled(run, at, whole) {
  const letters = [...run];
  const after = [...whole.slice(at + run.length, at + run.length + 2)][0] || "";
  const written = [];
  let base = [...whole.slice(Math.max(0, at - 2), at)].pop() || "";
  let varied = false;
  let marks = [];
  letters.forEach((letter, place) => {
    const following = letters[place + 1] || after;
    if (!marks.length && belongs(letter, base, following, varied)) {
      written.push(letter);
      varied = !JOINERS.test(letter);
    } else if (LINES.test(letter)) {
      if (following === "\n" && letter === "\r") return;
      written.push(...said(marks), "\n");
      [base, varied, marks] = ["\n", false, []];
    } else if (!NOTHING_LOST.test(letter)) {
      marks.push(`U+${letter.codePointAt(0).toString(16).toUpperCase().padStart(4, "0")}`);
    }
  });
  return [...written, ...said(marks)].join("");
}

function said(marks) {
  if (marks.length <= SHOWN) return marks.map((mark) => `‹${mark}›`);
  return [`‹${marks[0]} and ${marks.length - 1} more that aren't seen›`];
}

/** Whether script or emoji need this invisible letter between `base` and `following`. */
function belongs(letter, base, following, varied) {
  if (!base) return false;
  if (JOINERS.test(letter) && COMPLEX.test(base)) return following !== "" && !IN_RUN.test(following) && !varied;
  if (letter === "\u200D") return EMOJI.test(base) && EMOJI.test(following);
  return !varied && takesVariants(base, letter);
}

function takesVariants(base, selector) {
  const number = selector.codePointAt(0);
  const own = base.codePointAt(0);
  if (number === 0xFE0E || number === 0xFE0F) return EMOJI.test(base) || /^[0-9#*]$/.test(base);
  if (number >= 0xFE00 && number <= 0xFE02) {
    return IDEOGRAPH.test(base) || (own >= 0x2200 && own <= 0x22FF) || (own >= 0x1000 && own <= 0x109F);
  }
  if (number >= 0x180B && number <= 0x180F) return own >= 0x1820 && own <= 0x18AF;
  return number >= 0xE0100 && number <= 0xE0113 && IDEOGRAPH.test(base);
}
