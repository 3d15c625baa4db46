"""Run the service of this folder, well and badly configured, against a real OpenBao server. Run by ``make demo``.

Everything happens in a temporary folder and on 127.0.0.1. Each step is checked; the exit code is 0 only if all gave what they
should. No step shows a secret, and the last one looks for that.
"""

import json
import secrets
import sys
import tempfile
from pathlib import Path
from time import perf_counter
from urllib.parse import quote

from _terminal import Signals, Terminal, UnexpectedResultError

from confguard.testing._openbao import OpenBao

CHECK = "confguard check myservice.settings:AppSettings"
START = "python -c 'from myservice import create_app; print(create_app().test_client().get(\"/healthz\").text)'"

DATABASE_URL = "run/myservice_database_url"

POLICY = """
path "secret/data/myservice" {{ capabilities = ["read"] }}
path "secret/data/payments"  {{ capabilities = ["{payments}"] }}
"""

DOTENV = """\
MYSERVICE_PAGE_SIZE={page_size}
"""

EXIT_CODES = {
    0: "valid: start",
    64: "the command was used wrongly: mend the command",
    70: "a defect of confguard or of a provider, or the module cannot be imported: report or mend it",
    75: "a store is unavailable or throttles: trying again may help",
    77: "denied, or no valid credential: mend a policy or a credential",
    78: "missing, invalid, malformed or unconfigured: mend the configuration",
}


def fill(store: OpenBao) -> dict[str, str]:
    """Put secrets into the store, and let the service read them.

    Returns:
        Everything that must not be shown, by a name for it.
    """
    made = {name: secrets.token_urlsafe(24) for name in ("secret_key", "smtp_password", "stripe_key", "database password")}
    store.mount_kv("secret")
    store.put("secret", "myservice", {name: made[name] for name in ("secret_key", "smtp_password")})
    store.put("secret", "payments", {"stripe_key": made["stripe_key"]})
    store.policy("myservice", POLICY.format(payments="read"))
    made["role_id"], made["secret_id"] = store.app_role("myservice", "myservice")
    return made | {"root token": store.root_token}


def mount(terminal: Terminal, made: dict[str, str]) -> None:
    """Put the file with the address of the database where it is mounted."""
    terminal.write(DATABASE_URL, f"postgresql://shop:{made['database password']}@db.example.com/shop", shown=False)


def good(terminal: Terminal, store: OpenBao, made: dict[str, str]) -> None:
    """The service as it should be."""
    terminal.title("1. A good configuration")
    terminal.say("The settings come from four places. The environment says which environment this is, and where OpenBao is:")
    terminal.export(APP_ENV="staging", MYSERVICE_PUBLIC_URL="https://shop.example.com")
    terminal.export(VAULT_ADDR=store.address, VAULT_CACERT="ca.pem")
    terminal.export(VAULT_ROLE_ID=made["role_id"], VAULT_SECRET_ID=made["secret_id"], shown=False)
    terminal.say("A .env file has what developers change, and a mounted file the address of the database:")
    terminal.write(".env", DOTENV.format(page_size=50))
    mount(terminal, made)
    terminal.export(CREDENTIALS_DIRECTORY="run")
    terminal.say("Three secrets stay in OpenBao. This is what would be fetched, told without a network:")
    terminal.run(f"{CHECK} --plan", 0, "vault: at most 4 requests", "vault://secret/payments  for stripe_key")
    terminal.say("Check it, as a container's entry point or a pipeline would:")
    terminal.run(CHECK, 0, "AppSettings: valid, 9 fields", "3 from vault", "1 from mounted")
    terminal.say("And the service itself starts, and answers:")
    terminal.run(START, 0, '"environment":"staging"')


def broken(terminal: Terminal, store: OpenBao, made: dict[str, str]) -> None:
    """Four mistakes at once, and one report of all of them."""
    terminal.title("2. Four mistakes at once")
    terminal.say("One variable is mistyped, one value is no number, one file is not mounted:")
    terminal.unset("MYSERVICE_PUBLIC_URL")
    terminal.export(MYSERVICE_PUBLC_URL="https://shop.example.com")
    terminal.write(".env", DOTENV.format(page_size="fifty"))
    terminal.remove(DATABASE_URL)
    terminal.say("And somebody has changed the policy of the service, which may no longer read secret/payments.")
    store.policy("myservice", POLICY.format(payments="deny"))
    report = terminal.run(
        CHECK,
        78,
        "stripe_key       denied",
        'path "secret/data/payments" { capabilities = ["read"] }',
        "database_url     missing",
        f"_FILE, {DATABASE_URL}",
        "MYSERVICE_PUBLC_URL is set. Did you mean MYSERVICE_PUBLIC_URL?",
        "page_size        invalid",
        "dotenv .env MYSERVICE_PAGE_SIZE",
        "4 errors, 0 warnings",
    )
    terminal.say("The service refuses to start, with the same report:")
    terminal.run(START, 1, "confguard.exceptions.ConfigError", report.strip())
    terminal.say("A pipeline reads it as JSON; its schema is docs/report.schema.json:")
    answer = json.loads(terminal.run(f"{CHECK} --format json", 78, most_lines=22))
    kinds = sorted(problem["kind"] for problem in answer["problems"])
    if (answer["exit_code"], kinds) != (78, ["denied", "invalid", "missing", "missing"]):
        raise UnexpectedResultError(f"the JSON report should have the same four problems, and has {kinds}")
    terminal.say("Everything is mended but the policy. The exit code says that now a permission is all that is wrong:")
    terminal.unset("MYSERVICE_PUBLC_URL")
    terminal.export(MYSERVICE_PUBLIC_URL="https://shop.example.com")
    terminal.write(".env", DOTENV.format(page_size=50))
    mount(terminal, made)
    terminal.run(CHECK, 77, "stripe_key       denied", "1 error, 0 warnings")


def unreachable(terminal: Terminal) -> None:
    """The server is gone."""
    terminal.title("3. The store is not there")
    terminal.say("OpenBao has been stopped. Nothing is wrong with the configuration, so the exit code says: try again.")
    terminal.run(CHECK, 75, "unavailable", "connection refused", "3 errors")


def codes(terminal: Terminal) -> None:
    """What each exit code asks for, and that a slip of the fingers has one too."""
    terminal.title("4. What the exit codes mean")
    terminal.say("A wrong command is told apart from a wrong configuration:")
    terminal.run("confguard check myservice.settings:AppSetings", 64, "did you mean myservice.settings:AppSettings?")
    terminal.say("They are those of sysexits.h, so that a supervisor can decide without reading a report:")
    terminal.table(
        f"{code:>4}  {meaning}{' (seen above)' if code in terminal.codes else ''}" for code, meaning in EXIT_CODES.items()
    )


def look_for_secrets(terminal: Terminal, made: dict[str, str]) -> None:
    """Search everything that was shown, and that any command said, for the secrets of this run.

    Raises:
        UnexpectedResultError: One is there. Which, is told by its name.
    """
    terminal.title("5. No secret was shown")
    everything = "\n".join(terminal.shown)
    leaked = [name for name, value in made.items() if value in everything or quote(value, safe="") in everything]
    if leaked:
        raise UnexpectedResultError(f"the output holds {', '.join(leaked)}")
    terminal.say(
        f"All {len(everything):,} characters of output were searched for the {len(made)} secrets of this run: none there."
    )


def main() -> int:
    """Run all steps.

    Returns:
        The exit code: 0 if each step gave what it should, 1 if one did not.

    Raises:
        SystemExit: A signal ended it; 130 after Ctrl-C.
    """
    began = perf_counter()
    signals = Signals()
    with signals.guarded(tempfile.TemporaryDirectory(prefix="confguard-demo-")) as folder:
        terminal = Terminal(Path(folder), signals)
        try:
            with signals.guarded(OpenBao()) as store:
                terminal.say(f"A real OpenBao server has been started at {store.address}, in {perf_counter() - began:.1f} s.")
                (terminal.folder / "ca.pem").write_bytes(store.ca_cert.read_bytes())
                made = fill(store)
                good(terminal, store, made)
                broken(terminal, store, made)
            unreachable(terminal)
            codes(terminal)
            look_for_secrets(terminal, made)
        except UnexpectedResultError as exc:
            terminal.conclude(f"This is not what should have happened. {exc}", good=False)
            return 1
        except SystemExit:
            terminal.conclude("Interrupted; the server is stopped and the folder removed.", good=False)
            raise
        terminal.conclude(f"Every step gave what it should, in {perf_counter() - began:.1f} s.", good=True)
        return 0


if __name__ == "__main__":
    sys.exit(main())
