"""The one table from an exception of the floors below to the exit code of the command line.

Names stand for classes, so that reading the table loads none of the modules.
"""

from __future__ import annotations

BAD_INPUT = 2
REFUSED = 3

EXIT_CODES: dict[str, int] = {
    "crm.yaml_file.BadYaml": BAD_INPUT,
    "crm.raw.BadSource": BAD_INPUT,
    "crm.tables.UnknownTable": BAD_INPUT,
    "crm.store.NoRecord": BAD_INPUT,
    "crm.store.BrokenStore": BAD_INPUT,
    "crm.app_database.BadDatabase": BAD_INPUT,
    "crm.demo.sizes.UnknownSize": BAD_INPUT,
    "crm.identities.NoSuchPair": BAD_INPUT,
    "crm.money.NoMeasure": BAD_INPUT,
    "crm.money.NoRate": BAD_INPUT,
    "features.observations.NoObservations": BAD_INPUT,
    "features.own_panels.TwoRowsAMonth": BAD_INPUT,
    "features.question.BadQuestion": BAD_INPUT,
    "features.catalogue.UnknownGroup": BAD_INPUT,
    "features.build.BadSpine": BAD_INPUT,
    "models.task_files.UnknownTask": BAD_INPUT,
    "models.booster.BadBooster": BAD_INPUT,
    "models.predictor.BadBundle": BAD_INPUT,
    "models.encoding.BadValue": BAD_INPUT,
    "models.drawing_png.NoChineseFont": BAD_INPUT,
    "models.backtest.TooShort": BAD_INPUT,
    "models.registry.RegistryAway": BAD_INPUT,
    "models.registry.UnknownVersion": BAD_INPUT,
    "models.challengers.NoChallenger": BAD_INPUT,
    "models.champions.NoChampion": BAD_INPUT,
    "serving.keys.BadGrant": BAD_INPUT,
    "serving.keys.UnknownUser": BAD_INPUT,
    "serving.keys.UnknownKey": BAD_INPUT,
    "serving.run_server.PortTaken": BAD_INPUT,
    "serving.score_file.BadTarget": BAD_INPUT,
    "serving.score_table.BadScores": BAD_INPUT,
    "serving.forecast_table.BadForecast": BAD_INPUT,
    "serving.joint_table.BadJoint": BAD_INPUT,
    "serving.cli_errors.NotPossible": BAD_INPUT,
    "crm.store.StoreIsBusy": REFUSED,
    "features.leakage_store.FeaturesLeak": REFUSED,
    "models.promote.Refused": REFUSED,
}


class NotPossible(ValueError):
    """What was asked for cannot be done with this input; the message says what would help."""


def exit_code(error: BaseException) -> int | None:
    """The exit code of an error, by its nearest class in the table; None for a fault of ours.

    Examples
    --------
    >>> exit_code(NotPossible("no such task"))
    2
    >>> exit_code(ZeroDivisionError()) is None
    True
    """
    for kind in type(error).__mro__:
        code = EXIT_CODES.get(f"{kind.__module__}.{kind.__qualname__}")
        if code is not None:
            return code
    return None
