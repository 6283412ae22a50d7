# Copyright: steady.rollout contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Other services of the same ledger on the same hosts or behind the same pool."""

from __future__ import annotations

import pytest
from support.ledger_client import LedgerClient, fleet, pool

from ansible_collections.steady.rollout.plugins.module_utils.errors import InputError

POOLS = [{"host": "lb1", "pool": "shop"}]


def plan(client: LedgerClient, **options):
    return client.plan(fleet(4), balancers=[pool(fleet(4))], **options)


def beside(shop: LedgerClient) -> LedgerClient:
    """Another service of the same ledger, at the same time."""
    other = LedgerClient("billing", shop.store)
    other.fake, other.ledger = shop.fake, shop.ledger
    other.open()
    return other


def refusal(client: LedgerClient, **options) -> str:
    with pytest.raises(InputError) as refused:
        plan(client, **options)
    return refused.value.message


def finished(shop: LedgerClient) -> LedgerClient:
    shop.open()
    plan(shop, pools=POOLS)
    for number in range(1, 5):
        shop.go(f"app{number}")
    hosts = fleet(4, version="2.0.0")
    assert shop.rollout("concluded", hosts=hosts, balancers=[pool(hosts)])["succeeded"]
    return shop


def test_a_misspelt_service_had_neither_history_nor_lease():
    billing = beside(finished(LedgerClient()))
    assert refusal(billing, pools=POOLS) == (
        "rollout_service is billing, but pool shop of lb1 belongs to the service shop: use that name; to continue anyway, "
        "because it was renamed or replaced, add -e rollout_accept=shared_pool."
    )


def test_a_service_that_was_renamed_keeps_its_pool_once_that_is_accepted():
    shop = finished(LedgerClient())
    billing = beside(shop)
    assert plan(billing, pools=POOLS, accept=["shared_pool"])["order"]
    assert plan(billing, pools=POOLS)["order"]
    shop.fake.move(3600)
    shop.open(version="3.0.0")
    assert "belongs to the service billing" in refusal(shop, pools=POOLS)


def test_two_services_may_take_turns_on_the_same_hosts_behind_pools_of_their_own():
    billing = beside(finished(LedgerClient()))
    assert plan(billing, pools=[{"host": "lb1", "pool": "billing"}])["order"]


def test_two_services_changed_the_same_hosts_at_the_same_time():
    shop = LedgerClient()
    shop.open()
    plan(shop)
    billing = beside(shop)
    assert refusal(billing) == (
        "rollout_service: a rollout of 2.0.0 of the service shop is changing app1 and other hosts of this fleet now: wait "
        "until it is over, then run again."
    )


def test_a_dead_run_of_another_service_holds_up_no_run():
    shop = LedgerClient()
    shop.open()
    plan(shop)
    shop.fake.move(3600)
    assert plan(beside(shop))["order"]
