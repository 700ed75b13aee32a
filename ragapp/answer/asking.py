"""Words that only ask: they say nothing of what is asked for, in the languages that most questions come in."""

from __future__ import annotations

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
