"""The money chain from a company's own files: nothing rejected, open balances exact to the cent, today and then."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from crm.balances import Balances, open_balances
from crm.config import Config
from crm.ingest import ingest
from crm.mapping import parse_mapping
from crm.store import Store

SHANGHAI = ZoneInfo("Asia/Shanghai")
FILES = {
    "合同": """编号,客户,签订日期,金额(万),类型
A,c,2025/1/5,100.000333,项目
B,c,2025/1/5,1.000001,项目
C,c,2025/1/5,1.000001,项目
""",
    "节点": """编号,合同,类型,计划日期,金额
A-1,A,预付款,2025/1/10,"300,001.00"
A-2,A,进度款,2025/4/10,"400,001.33"
A-3,A,验收款,2025/7/10,"250,000.83"
A-4,A,质保金,2026/7/10,"50,000.17"
B-1,B,,,"10,000.01"
C-1,C,,,"10,000.01"
""",
    "发票": """发票号,客户,合同,节点,开票日期,到期日,价税合计,红冲,重开
0001,c,A,A-2,2025/4/1,2025/5/1,"400,001.33",0002,
0002,c,A,,2025/6/1,,"(400,001.33)",,
0003,c,A,A-2,2025/6/2,2025/7/2,"400,001.33",,0001
0004,c,A,,2025/7/10,2025/8/9,"300,001.00",,
""",
    "回款": """编号,客户,日期,金额,方式,到期
R1,c,2025/1/20,"315,001.01",电汇,
R2,c,2025/6/20,"100,000.00",银行承兑汇票,2025/12/20
""",
    "核销": """编号,回款,发票,节点,金额
1,R1,,A-1,"300,001.00"
2,R1,,B-1,"10,000.01"
3,R1,,C-1,"5,000.00"
4,R2,0003,,"100,000.00"
""",
}
MAPPING = """
company: {currency: CNY, time_zone: Asia/Shanghai, encoding: gb18030, date_formats: YYYY/M/D}
sources:
  - name: allocations
    file: 核销.csv
    table: receipt_allocations
    columns: {allocation_id: 编号, receipt_id: 回款, invoice_id: 发票, installment_id: 节点, amount: 金额}
  - name: agreements
    file: 合同.csv
    table: agreements
    columns:
      agreement_id: 编号
      account_id: 客户
      signed_on: 签订日期
      kind: {from: 类型, values: {项目: project}}
      net_amount: {from: 金额(万), unit: 万}
  - name: nodes
    file: 节点.csv
    table: installments
    columns:
      installment_id: 编号
      agreement_id: 合同
      kind: {from: 类型, values: {预付款: advance, 进度款: milestone, 验收款: acceptance, 质保金: retention}}
      planned_on: 计划日期
      gross_amount: 金额
  - name: invoices
    file: 发票.csv
    table: invoices
    columns:
      invoice_id: 发票号
      account_id: 客户
      agreement_id: 合同
      installment_id: 节点
      issued_on: 开票日期
      due_on: 到期日
      gross_amount: 价税合计
      reversed_by: 红冲
      replaces: 重开
  - name: receipts
    file: 回款.csv
    table: receipts
    columns:
      receipt_id: 编号
      account_id: 客户
      received_on: 日期
      gross_amount: 金额
      instrument: {from: 方式, values: {电汇: transfer, 银行承兑汇票: acceptance_bill}}
      matures_on: 到期
"""


@pytest.fixture
def company(tmp_path: Path) -> Store:
    for name, content in FILES.items():
        (tmp_path / f"{name}.csv").write_text(content, encoding="gb18030")
    store = Store(tmp_path / "record")
    now = datetime(2026, 8, 1, tzinfo=UTC)
    report = ingest(store, parse_mapping(MAPPING), tmp_path, config=Config(), now=now)
    assert (report.refused, report.rejects) == ((), ())
    return store


def _on(store: Store, day: datetime) -> Balances:
    return open_balances(store.current(), day.replace(tzinfo=SHANGHAI), SHANGHAI)


def test_open_balances_are_exact_to_the_cent(company: Store) -> None:
    known = _on(company, datetime(2025, 9, 1, tzinfo=SHANGHAI))
    assert known.by_node() == {
        "A-1": 0,
        "A-2": 30_000_133,
        "A-3": 25_000_083,
        "A-4": 5_000_017,
        "B-1": 0,
        "C-1": 500_001,
    }
    assert known.by_invoice() == {"0003": 30_000_133, "0004": 30_000_100}
    assert known.on_account == {}


def test_reissued_invoice_keeps_its_age_and_the_bill_is_no_cash_before_it_matures(company: Store) -> None:
    early, late = (_on(company, datetime(2025, 12, day, tzinfo=SHANGHAI)) for day in (20, 22))
    (reissued,) = [one for one in early.claims if one.claim.invoice_id == "0003"]
    assert reissued.age_days == 263
    assert (early.cash(), late.cash()) == (31_500_101, 41_500_101)


def test_retention_is_not_late_before_its_day(company: Store) -> None:
    (retention,) = [
        one for one in _on(company, datetime(2026, 7, 10, tzinfo=SHANGHAI)).claims if one.claim.kind == "retention"
    ]
    assert retention.overdue_days == 0
