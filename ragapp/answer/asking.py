"""Words that only ask: they say nothing of what is asked for, but often in which language it is asked."""

from __future__ import annotations

import re
import unicodedata

_BY_LANGUAGE = {
    "en": (
        "a about after all also am an and any are as at be been before but by can could did do does doing "
        "each far for from get gets give go got had has have having he her here his how i i'm if in into is "
        "it its just let like long many may me might more most much must my need needs no nor not now of off "
        "on once one only or other our out over please quick same shall she should show since so some such "
        "tell than that the their them then there these they this those through to too under until up us use "
        "used very want was we we're were what what's whats when where where's which while who who's whom "
        "whose why will with would yes you your"
    ),
    "de": (
        "ab aber alle als am an auch auf aus bei bin bis bitte da damit dann das dass dein dem den der des "
        "dessen die dies diese dieser dieses doch dort du durch ein eine einem einen einer eines er es etwas "
        "euch für gibt haben hat hatte hier hoch ich ihm ihn ihr ihre im in ist ja jede jeder jetzt kann kein "
        "keine können könnte lange man mehr mein meine mich mir mit muss müssen nach nicht noch nun nur oder "
        "ohne schon sehr sein seine seit sich sie sind so soll sollen um und uns unser unsere unter viel "
        "viele vom von vor wann war waren warum was weil welche welchem welchen welcher welches wem wen wenn "
        "wer werden wessen wie wieviel wieviele wir wird wo woher wohin worüber würde zu zum zur zwischen "
        "über"
    ),
    "fr": (
        "a au aux avec avoir ce ces cette combien comment dans de des du elle en est et faut il ils je la le "
        "les leur lui ma mais me mes mon ne nos notre nous on ont ou où par pas pour pourquoi qu quand que "
        "quel quelle quelles quels qui sa se ses son sont sur ta te tes ton tu un une vos votre vous y à être"
    ),
    "es": (
        "a al como con cual cuales cuando cuanto cuantos cuál cuáles cuándo cuánto cuántos cómo de del donde "
        "dónde el ella en es esta este esto ha hay la las le lo los me mi mis nos nuestro o para por que "
        "quien quién qué se ser si sin son su sus te tiene tu un una y ya"
    ),
    "it": (
        "a ai al alla anche che chi come con cosa da dal dei del della di dove e gli ha hanno i il in io la "
        "le lo ma mi nei nel non o per perché più quale quali quando quanti quanto sono su tra un una uno è"
    ),
    "nl": (
        "aan als bij dat de deze die dit door een en er het hoe hoeveel ik in is je kan met mijn naar niet of "
        "om onze op te uit van veel voor waar waarom wanneer wat we welke wie wij zijn"
    ),
    "pt": (
        "a ao aos as com como da das de do dos e em essa esta este foi há isso mais na nas no nos não o onde "
        "os ou para pela pelo por porque quais qual quando quanto quantos que quem se sem seu sua são um uma "
        "é"
    ),
}

ASKING_WORDS = frozenset(word for words in _BY_LANGUAGE.values() for word in words.split())

_TELLING = {
    "en": "describe explain find kind list mean means often said show summarise summarize write wrote",
    "de": (
        "bedeutet beginnt bekomme bekommen bekommt besteht braucht brauche darf dürfen endet findet gelten gilt habe "
        "heißt hohe hoher kostet kosten läuft lautet machen passiert steht wurde wurden"
    ),
    "fr": (
        "ai ait avons avez ces ceux chez coûte coûtent dit dois doit entre j jusqu l nombre part peut peuvent peux "
        "prend puis puisse qu sait sera si signifie sommes sous veut était"
    ),
    "es": (
        "cuantas cuanta cuántas cuánta cuesta cuestan cuyo debe debemos debo desde dice entre están estoy fue fueron "
        "hasta he pasa pueden puede puedo significa sobre soy tengo tenemos tienen todos"
    ),
    "it": (
        "abbiamo c cos costa costano dall degli dell deve devo devono dopo dov era fino ho l nell nella posso possono "
        "prima può qual quanta quante questa questo si siamo significa sul sulla trova"
    ),
    "nl": (
        "betekent gaat geldt heb hebben heeft kost kosten krijg kunnen mag moet moeten mogen ons tijdens tot voor werd "
        "wordt worden zou zouden"
    ),
    "pl": (
        "ale bez by być był była było były co czego czy czyj czym dla dlaczego do gdzie i ich ile ilu jak jaka jaką "
        "jaki jakich jakie jakiego jakiej jego jej jest jestem kiedy kim kogo komu kosztuje kto która które którego "
        "której który których ma mają mam mamy mogę moja moje mój może można musi muszę na nad nasz nasze nie o od "
        "oraz oznacza po pod przed przez przy są się ta te ten to trwa trzeba tym u w we wynosi z za ze zgłosić złożyć "
        "znaczy że"
    ),
    "pt": "até cada deve devo eu minha meu podem pode qual significa tem tenho uma você",
    "cs": (
        "a co do jak jaká jaké jaký je jsem jsou kde kdo kdy kolik která které který má mám mohu na o od po se v z za"
    ),
    "da": (
        "af at den der det en er et for fra har hvad hvem hvilke hvilken hvor hvordan hvorfor hvornår i jeg kan om på"
    ),
    "sv": "av den det du en ett för från har hur i jag kan man med när om på som till vad var vem vilka vilken är",
}
"""What else gives a question's language away. The last four are there to be told from their likes."""
_ALSO_ENGLISH = frozenset(
    "ai bin chez come comment dice die dit door dove era est fin hay man met mit non nut par part pas per plus pour "
    "prima si sin son sous sur ten tot van war".split()
)
"""Words of other languages that English writes too: they say nothing."""
_IN_NAMES = frozenset(
    "à al c dal das de degli dei del della den der des di do dos du e el es et het i il j l la las le les lo los na o "
    "se u von w y z zu".split()
)
"""What names, titles, initials and countries' codes hold in any language: J. L. de los Santos, Die Welt von gestern."""
_WORD = re.compile(r"[^\W\d_]+")
_ASKED_BY = {
    language: frozenset(_WORD.findall(f"{_BY_LANGUAGE.get(language, '')} {_TELLING.get(language, '')}"))
    for language in _BY_LANGUAGE | _TELLING
}
_FEWEST = 3
"""Words below which a question's language is not told."""


def language_asked(question: str) -> str | None:
    """ISO 639-1 code of the language that a question is put in; None where it is too short or too mixed to tell.

    Other languages than English are told by two words that English doesn't have, one of which stands in no names, and
    only where hardly an English one is beside them.
    """
    words = _WORD.findall(unicodedata.normalize("NFC", question).lower())
    held = {language: known.intersection(words) for language, known in _ASKED_BY.items()}
    (most, language), (second, _) = sorted(((len(found), code) for code, found in held.items()), reverse=True)[:2]
    if len(words) < _FEWEST or most == second:
        return None
    if language == "en":
        return "en"
    own = held[language] - _ASKED_BY["en"] - _ALSO_ENGLISH
    english = held["en"] - held[language]
    return language if len(own) > 1 and own - _IN_NAMES and len(own) > 3 * len(english) else None
