"""What is sealed opens with its own brand's key only, and equal values are found but not read."""

import sqlite3
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quanyu.kernel.clock import ManualClock
from quanyu.kernel.errors import Invalid
from quanyu.storage.state import State
from quanyu.storage.vault import SealBroken, Vault, load_master_key


@given(value=st.binary(max_size=200))
def test_what_was_sealed_opens(vault: Vault, value: bytes):
    sealed = vault.seal(1, value)
    assert vault.open(1, sealed) == value
    assert sealed != vault.seal(1, value)


def test_a_brand_cannot_open_anothers(vault: Vault):
    with pytest.raises(SealBroken):
        vault.open(2, vault.seal(1, "13800138000"))


@pytest.mark.parametrize("position", [0, 6, 20, -1])
def test_changed_bytes_do_not_open(vault: Vault, position: int):
    sealed = bytearray(vault.seal(1, "13800138000"))
    sealed[position] ^= 1
    with pytest.raises(SealBroken):
        vault.open(1, bytes(sealed))


def test_indexes_are_equal_within_a_brand_and_namespace_only(vault: Vault):
    assert vault.index(1, "phone", "1") == vault.index(1, "phone", "1")
    assert len({vault.index(1, "phone", "1"), vault.index(2, "phone", "1"), vault.index(1, "card", "1")}) == 3


def test_destroyed_keys_make_values_unreadable(state: State, vault: Vault):
    sealed = vault.seal(1, "13800138000")
    with state.write() as tx:
        vault.destroy(tx, 1)
    with pytest.raises(SealBroken):
        vault.open(1, sealed)


def test_another_master_key_is_told_apart(state: State, vault: Vault, clock: ManualClock):
    vault.seal(1, "x")
    with pytest.raises(SealBroken):
        Vault(state, b"\1" * 32, clock).seal(1, "x")


def test_a_master_key_is_made_once(tmp_path: Path):
    key = load_master_key("", tmp_path)
    assert load_master_key("", tmp_path) == key
    assert (tmp_path / "master.key").stat().st_mode & 0o777 == 0o600
    with pytest.raises(Invalid):
        load_master_key("short", tmp_path)


def test_nothing_sealed_stands_in_clear_in_the_file(tmp_path: Path, clock: ManualClock):
    from quanyu.storage.schema import metadata

    store = State(f"sqlite:///{tmp_path / 's.sqlite'}")
    metadata.create_all(store.engine)
    Vault(store, bytes(32), clock).seal(1, "secret")
    store.dispose()
    wrapped = sqlite3.connect(tmp_path / "s.sqlite").execute("SELECT wrapped FROM data_key").fetchall()
    assert len(wrapped) == 1
    assert len(wrapped[0][0]) == 12 + 32 + 16
