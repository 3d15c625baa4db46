"""The script, tested with nothing but the standard library: ``python -m unittest``."""

import io
import unittest
from contextlib import chdir, redirect_stdout
from pathlib import Path
from tempfile import TemporaryDirectory

from report import ReportSettings, main, report

from confguard import validate
from confguard.testing import (
    EnvironmentMixin,
    FakeMixin,
    SettingsMixin,
    assert_refuses,
    environment,
    fails,
    faking,
    override,
    problems_of,
)

KEY = "awssecrets://prod/report#/signing_key"
ORDERS = "ada,10.50\ngrace,99.00\nada,5.00\nlinus,1.00\n"


class TestReport(SettingsMixin, EnvironmentMixin, unittest.TestCase):
    """What is printed depends on settings alone, so valid ones are made and nothing is loaded."""

    def setUp(self) -> None:
        super().setUp()
        self.orders = self.confguard_env.path / "orders.csv"
        self.orders.write_text(ORDERS)

    def test_the_largest_come_first(self) -> None:
        settings = self.confguard_settings(ReportSettings, orders=self.orders, largest=2)
        self.assertEqual(report(settings).splitlines()[:-1], ["Orders", "grace            99.00", "ada              15.50"])

    def test_another_key_gives_another_signature(self) -> None:
        first, second = (
            report(self.confguard_settings(ReportSettings, orders=self.orders, signing_key=key)).splitlines()
            for key in ("fake-first-key", "fake-second-key")
        )
        self.assertEqual(first[:-1], second[:-1])
        self.assertNotEqual(first[-1], second[-1])


class TestMain(EnvironmentMixin, FakeMixin, unittest.TestCase):
    """The script as it is started: a clean environment, an empty directory, and a fake in the place of AWS."""

    def setUp(self) -> None:
        super().setUp()
        Path("orders.csv").write_text(ORDERS)
        self.confguard_env["REPORT_ORDERS"] = "orders.csv"
        self.confguard_fake[KEY] = "fake-signing-key"

    def printed(self) -> str:
        with redirect_stdout(io.StringIO()) as out:
            main()
        return out.getvalue()

    def test_it_prints_the_report(self) -> None:
        self.assertTrue(self.printed().startswith("Orders\ngrace "))
        self.assertNotIn("fake-signing-key", self.printed())

    def test_a_title_stands_in_the_env_file(self) -> None:
        self.confguard_env.dotenv({"REPORT_TITLE": "Orders of May"})
        self.assertTrue(self.printed().startswith("Orders of May\n"))

    def test_one_setting_is_another(self) -> None:
        with override(ReportSettings, title="Overridden"):
            self.assertTrue(self.printed().startswith("Overridden\n"))

    def test_it_tells_all_that_is_wrong(self) -> None:
        self.confguard_env["REPORT_ORDERS"] = "not-there.csv"
        self.confguard_fake[KEY] = fails("denied")
        assert_refuses(main, invalid="orders", denied="signing_key")
        with self.assertRaisesRegex(SystemExit, "ReportSettings: 2 errors, 0 warnings"):
            main()

    def test_a_store_that_is_out_is_no_reason_to_sign_with_nothing(self) -> None:
        self.confguard_fake[KEY] = fails("unavailable")
        assert_refuses(main, unavailable="signing_key")

    def test_a_forgotten_reference_says_what_to_write(self) -> None:
        del self.confguard_fake[KEY]
        [problem] = problems_of(ReportSettings)
        self.assertEqual(problem.tip, f'write confguard_fake["{KEY}"] = "…"')


class TestWithoutMixins(unittest.TestCase):
    """The same by hand, for a test that wants one of them alone."""

    def setUp(self) -> None:
        # `environment` sees to variables alone: a .env of whoever runs the tests is out of the way in an empty directory.
        self.enterContext(chdir(self.enterContext(TemporaryDirectory())))

    @environment({"REPORT_ORDERS": __file__, "REPORT_LARGEST": "0"})
    def test_none_at_all_is_refused(self) -> None:
        with faking({KEY: "fake-signing-key"}):
            assert_refuses(ReportSettings, invalid="largest")

    @environment({"REPORT_ORDERS": __file__, "REPORT_SIGNING_KEY": "fake-signing-key"})
    def test_a_key_in_the_environment_is_not_fetched(self) -> None:
        with faking() as fake:
            validate(ReportSettings)
            self.assertEqual(fake.asked, ())


if __name__ == "__main__":
    unittest.main()
