import random

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dedup.schema import INPUT
from dedup.scratch import Scratch
from dedup.store import Articles

CHARACTERS = st.characters(exclude_categories=["Cs"])
CORPORA = st.dictionaries(st.text(CHARACTERS, max_size=4), st.text(CHARACTERS, max_size=9), max_size=9)


def batch(items):
    """Articles given as (id, text); some details hang on the id."""
    columns = {
        "id": [id for id, _ in items],
        "text": [text for _, text in items],
        "outlet": [f"outlet of {id}" if id else None for id, _ in items],
        "line": [len(id) for id, _ in items],
    }
    arrays = [pa.array(columns.get(field.name, [None] * len(items)), field.type) for field in INPUT]
    return pa.RecordBatch.from_arrays(arrays, schema=INPUT)


@given(CORPORA, st.randoms(), st.integers(1, 4), st.sampled_from([0, 10, 10**6]))
@settings(deadline=None)
def test_articles_are_sorted_with_their_own_texts(corpus, draw, size, memory):
    items = list(corpus.items())
    draw.shuffle(items)
    batches = [batch(items[at : at + size]) for at in range(0, len(items), size)]
    with Scratch(memory) as scratch:
        articles = Articles.stored(batches, scratch)
        ids = sorted(corpus)
        assert len(articles) == len(articles.texts) == len(corpus)
        assert articles.column("id").to_pylist() == ids
        assert articles.column("outlet").to_pylist() == [f"outlet of {id}" if id else None for id in ids]
        assert articles.column("line").to_pylist() == [len(id) for id in ids]
        assert [articles.texts[number] for number in range(len(ids))] == [corpus[id] for id in ids]
        numbers = list(range(len(ids))) * 2
        draw.shuffle(numbers)
        taken = articles.texts.taken(np.array(numbers, np.int64))
        assert taken.type == pa.large_string()
        assert taken.to_pylist() == [corpus[ids[number]] for number in numbers]
        middle = len(ids) // 2
        assert articles.texts.batch(middle, len(ids)).to_pylist() == [corpus[id] for id in ids[middle:]]
        assert dict(articles.texts_by_id()) == corpus


def test_slices_of_batches_are_stored_as_they_are():
    whole = batch([(str(number), f"text {number}") for number in range(9)])
    with Scratch(10**6) as scratch:
        articles = Articles.stored([whole.slice(6, 3), whole.slice(2, 2)], scratch)
        assert dict(articles.texts_by_id()) == {str(number): f"text {number}" for number in (2, 3, 6, 7, 8)}


def test_texts_are_read_by_id():
    ids = ["é", "b", "", "日本", "a b", "𝐀"]
    random.Random(1).shuffle(ids)
    with Scratch(0) as scratch:
        texts = Articles.stored([batch([(id, f"text of {id}") for id in ids])], scratch).texts_by_id()
        assert list(texts) == sorted(ids)
        assert len(texts) == len(ids)
        for id in ids:
            assert texts[id] == f"text of {id}"
            assert id in texts
        for id in ("a", "c", "zz", "日", "𝐀𝐀"):
            assert id not in texts
            with pytest.raises(KeyError, match=id):
                texts[id]
        assert texts.get("none") is None


def test_nothing_is_stored_of_nothing():
    with Scratch(0) as scratch:
        articles = Articles.stored([], scratch)
        texts = articles.texts_by_id()
        assert len(articles) == len(texts) == 0
        assert list(texts) == []
        assert articles.column("id").to_pylist() == []
        with pytest.raises(KeyError):
            texts["a"]
