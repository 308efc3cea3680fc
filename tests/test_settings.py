import math
from dataclasses import FrozenInstanceError, fields

import pytest

import dedup
from dedup import Settings, SettingsError

NAMED = {field.name: field for field in fields(Settings)}


@pytest.mark.parametrize("name", NAMED)
def test_each_setting_keeps_its_bounds(name):
    low, high = (NAMED[name].metadata[end] for end in ("low", "high"))
    for value in (low - 1, high + 1, math.nan, math.inf, "5", None, True):
        with pytest.raises(SettingsError, match=rf"^{name}=.*the default is"):
            Settings(**{name: value})
    small = {"shingle": low} if name == "guarantee" else {}
    large = {"guarantee": 64} if name == "shingle" else {}
    assert getattr(Settings(**{name: low, **small}), name) == low
    assert getattr(Settings(**{name: high, **large}), name) == high


def test_a_guarantee_shorter_than_a_shingle_is_refused_with_the_remedy():
    with pytest.raises(SettingsError, match="use guarantee=7 or more, or a smaller shingle"):
        Settings(shingle=7, guarantee=6)
    assert Settings(shingle=7, guarantee=7).window == 1


def test_settings_are_taken_as_users_give_them():
    assert Settings.of(None) == Settings()
    assert Settings.of({"recall": 0.5}).recall == 0.5
    with pytest.raises(SettingsError, match=r"'recal'; there are batch_size, .*recall"):
        Settings.of({"recal": 0.5})
    with pytest.raises(SettingsError, match="neither"):
        Settings.of(5)


def test_settings_are_frozen_and_know_which_change_the_answer():
    settings = Settings()
    with pytest.raises(FrozenInstanceError):
        settings.recall = 0.5
    assert set(settings.asdict()) - set(settings.answer()) == {
        "threads",
        "batch_size",
        "memory",
        "max_ratio",
        "max_expanded",
    }


def test_wrong_settings_are_refused_before_anything_is_read():
    def articles():
        raise AssertionError("read")
        yield

    with pytest.raises(SettingsError, match="raise num_perm"):
        dedup.scan(articles(), {"num_perm": 4, "recall": 0.99, "resemblance": 0.1})
    with pytest.raises(SettingsError):
        dedup.compare("a", "b", {"shingle": 0})
