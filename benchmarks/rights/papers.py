"""The documents of a world as files: each holds a word of its name, one of its text, and one that people ask for."""

from __future__ import annotations

import io
from dataclasses import dataclass
from email.message import EmailMessage

from reportlab.pdfgen.canvas import Canvas

QUESTION = "What is the code word of the project?"
FORMATS = ("md", "html", "txt", "pdf", "eml")


@dataclass(frozen=True, slots=True)
class Paper:
    """One revision of a document."""

    source: str
    """The file's name; it holds the name's word."""
    name: str
    content: str
    probe: str
    inside: str = ""
    """The content word of what is attached to a mail; empty for other formats."""

    @property
    def written(self) -> bytes:
        said = f"The code word of the project {self.name} is {self.content}, and {self.probe} is its seal."
        kind = self.source.rsplit(".", 1)[-1]
        if kind == "pdf":
            return _pdf(self.name, said)
        if kind == "eml":
            return _mail(self.name, said, f"# Annex\n\nThe code word of the annex is {self.inside}.\n")
        if kind == "html":
            return f"<title>Project {self.name}</title><h1>Project {self.name}</h1><p>{said}</p>".encode()
        return f"# Project {self.name}\n\n{said}\n\n## Costs\n\nThe project costs 40 euro a day.\n".encode()


def _pdf(name: str, said: str) -> bytes:
    sink = io.BytesIO()
    # plain, so that its words can be seen in the original, and without a date, so that twins agree
    page = Canvas(sink, pageCompression=0, invariant=True)
    page.setTitle(f"Project {name}")
    page.drawString(72, 720, said)
    page.save()
    return sink.getvalue()


def _mail(name: str, said: str, annex: str) -> bytes:
    mail = EmailMessage()
    mail["Subject"] = f"Project {name}"
    mail["From"], mail["To"] = "ina@example.com", "jon@example.com"
    mail.set_content(said)
    mail.add_attachment(annex.encode(), maintype="text", subtype="markdown", filename="annex.md")
    mail.set_boundary("=====annex=====")
    return mail.as_bytes()
