from hypothesis import given
from hypothesis import strategies as st

from dedup.kernels.unicode import CHARACTER, DIGIT, EXTEND, LOWER, WORD, classify, fold
from dedup.overlap import overlap


def grams(text):
    """Distinct 5-letter grams; of a character that folds to several letters the first stands for all."""
    kept = [c for c in text if classify(c) in (WORD, LOWER, DIGIT, CHARACTER, EXTEND)]
    letters = [next((p for p in fold(c) if p.isalnum()), c) for c in kept]
    return {tuple(letters[at : at + 5]) for at in range(len(letters) - 4)}


@given(st.text("abAB 1é.-日ß", max_size=40), st.text("abAB 1é.-日ß", max_size=40))
def test_overlap_is_containment_of_letter_grams(left, right):
    one, other = grams(left), grams(right)
    common = len(one & other)
    assert overlap(left, right) == (common / max(len(one), 1), common / max(len(other), 1))


def test_words_written_together_or_apart_are_the_same():
    assert overlap("The harbour was closed.", "THEHARBOUR was-closed") == (1, 1)
    assert overlap("The harbour was closed.", "") == (0, 0)
