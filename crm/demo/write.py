"""The demo company straight into a store, without the detour over files."""

from __future__ import annotations

from crm.demo.company import DemoCompany
from crm.store import Store


def write_company(company: DemoCompany, store: Store) -> None:
    """One new generation of the store that holds the company's tables and nothing of its truth.

    Tables that the company lacks stay as they are.

    Raises
    ------
    crm.store.StoreIsBusy
        Another process is ingesting.
    """
    with store.writing() as writer:
        for name in sorted(company.tables):
            writer.replace(name, company.tables[name], company.custom.get(name))
