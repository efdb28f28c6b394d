"""Scopes and keys."""

import pytest

from pocketquant.storage.access import ApiKey, KeyText, Scope, is_key_name

SECRET = "s" * 43
KEY = ApiKey("0123456789ab", "charts", Scope.READ, KeyText("", SECRET).fingerprint, created_at=0)


@pytest.mark.parametrize(
    ("scope", "included"),
    [
        (Scope.READ, {Scope.READ}),
        (Scope.SYNC, {Scope.READ, Scope.SYNC}),
        (Scope.ADMIN, {Scope.READ, Scope.SYNC, Scope.ADMIN}),
    ],
)
def test_each_scope_includes_those_before_it(scope: Scope, included: set[Scope]) -> None:
    """No scope includes a later one."""
    assert included == {other for other in Scope if scope.includes(other)}


def test_a_key_is_read_back_from_its_text() -> None:
    """Id and secret are read; the repr has the id alone."""
    text = KeyText("0123456789ab", "a_-Z" * 10 + "a_b")
    assert text == KeyText.parse(str(text))
    assert text.secret not in repr(text)
    assert str(KEY.fingerprint) not in repr(KEY)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "pq_",
        f"0123456789ab_{SECRET}",
        f"pq_0123456789ab{SECRET}",
        f"pq_0123456789AB_{SECRET}",
        f"pq_0123456789ab_{SECRET}s",
        f"pq_0123456789ab_{SECRET}\n",
        f"pq_0123456789ab_{SECRET[1:]}$",
        "é" * 60,
    ],
)
def test_a_text_that_is_not_a_key_is_none(text: str) -> None:
    """A text without the form of a key is None."""
    assert KeyText.parse(text) is None


@pytest.mark.parametrize(
    ("name", "is_one"),
    [
        ("charts", True),
        ("a" * 80, True),
        ("Zoë's <b>laptop</b>", True),
        ("a" * 81, False),
        ("", False),
        (" ", False),
        ("a\nb", False),
        ("a\u202eb", False),
    ],
)
def test_a_name_is_short_visible_and_in_one_line(name: str, is_one: bool) -> None:
    """Any visible characters will do."""
    assert is_one == is_key_name(name)


def test_a_key_is_opened_by_its_own_text_alone() -> None:
    """A key with another secret does not match."""
    assert KEY.is_opened_by(KeyText(KEY.id, SECRET))
    assert not KEY.is_opened_by(KeyText(KEY.id, "t" * 43))


@pytest.mark.parametrize(
    ("expires_at", "revoked_at", "is_live"),
    [(None, None, True), (11, None, True), (10, None, False), (None, 5, False), (11, 5, False)],
)
def test_a_key_lives_until_it_expires_or_is_revoked(
    expires_at: int | None, revoked_at: int | None, is_live: bool
) -> None:
    """A key that expires at 10 is no longer live at 10."""
    key = ApiKey("x", "", Scope.READ, b"", 0, expires_at, revoked_at)
    assert is_live == key.is_live(10)
