"""One load: find out who we are, then make all calls side by side, and those that follow from them."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from confguard.provider import Deadline, Failure, fan_out
from confguard_aws import _agent, _parameters, _secrets
from confguard_aws._attempt import attempt
from confguard_aws._client import Clients, call
from confguard_aws._config import Options, holds_credentials, is_open
from confguard_aws._failures import Refusal
from confguard_aws._jobs import Answer, Job, Outcome, failure_of
from confguard_aws._names import Ask, Secret
from confguard_aws._tables import NO_ROLE, Row
from confguard_aws._wire import Wire

_OPEN = Row(
    "unconfigured",
    "the endpoint is plain http to another machine, which would show the secrets to the network",
    "use https, or say AWS(allow_http=True) where the network itself is protected",
)

_WITH_CREDENTIALS = Row(
    "unconfigured",
    "there is a user or a password in the endpoint's address",
    "take it out of AWS_ENDPOINT_URL or AWS(endpoint_url=…): AWS wants none, and addresses are shown",
)
_AGENT = "agent"


class Load:
    """The calls of one load.

    Attributes:
        refused: Whether AWS did not take who we are.
    """

    def __init__(self, clients: Clients, options: Options, deadline: Deadline) -> None:
        self._clients = clients
        self._options = options
        self._deadline = deadline
        self._wire = Wire(deadline, clients.verify)
        self.refused = False

    def fetch(self, asks: Sequence[Ask]) -> Mapping[Ask, Answer]:
        """Ask for all of these."""
        secrets = [ask for ask in asks if isinstance(ask, Secret)]
        region = self._clients.region
        others = [ask for ask in asks if not isinstance(ask, Secret)]
        of_secrets = [Job(_AGENT, (secret,)) for secret in secrets] if self._options.agent else _secrets.jobs_of(secrets, region)
        jobs, answers = self._logged_in([*of_secrets, *_parameters.jobs_of(others, region)])
        while jobs:
            outcomes = fan_out(self._run, jobs, deadline=self._deadline)
            jobs = []
            for job, outcome in outcomes.items():
                if isinstance(outcome, Failure):
                    answers |= {ask: self._of(outcome, job, ask) for ask in job.asks}
                else:
                    answers |= outcome.answers
                    jobs += outcome.again
        self.refused = any(isinstance(answer, Failure) and answer.kind == "unauthenticated" for answer in answers.values())
        return answers

    def _logged_in(self, jobs: Sequence[Job]) -> tuple[list[Job], dict[Ask, Answer]]:
        """The jobs that can be done now that it is known who we are, and what the others fail with."""
        signed = [job for job in jobs if job.operation != _AGENT]
        if not signed:
            return list(jobs), {}
        first = signed[0]
        if self._clients.are_known:
            result: Refusal | Failure | None = self._log_in(first)
        else:  # in a thread, since a service that tells credentials can be as slow as any other
            result = fan_out(self._log_in, [first], deadline=self._deadline)[first]
        if result is None:
            return list(jobs), {}
        failures: dict[Ask, Answer] = {
            ask: failure_of(result, ask) if isinstance(result, Refusal) else self._of(result, first, ask)
            for job in signed
            for ask in job.asks
        }
        return [job for job in jobs if job.operation == _AGENT], failures

    def _log_in(self, job: Job) -> Refusal | None:
        refusal = attempt(lambda: self._clients.log_in(self._wire), self.words(job), setting_up=True)
        # What gives credentials said no: that is about no secret, and about no policy that lets one be read.
        return replace(refusal, row=NO_ROLE) if refusal is not None and refusal.kind in {"denied", "missing"} else refusal

    def _run(self, job: Job) -> Outcome:
        match job.operation:
            case _secrets.MANY:
                return _secrets.read_batch(job, self)
            case _secrets.ONE:
                return _secrets.read_one(job, self)
            case "get_parameters":
                return _parameters.read_names(job, self)
            case "get_parameters_by_path":
                return _parameters.read_below(job, self)
            case _:
                assert self._options.agent is not None  # noqa: S101 - as these jobs are made
                return _agent.read_agent(job, self._options.agent, self._wire)

    def _of(self, failure: Failure, job: Job, ask: Ask) -> Failure:
        """What `fan_out` says of a job, said of one of the names in it; of the deadline, also where no answer came from."""
        if failure != self._deadline.failure(str(job)):
            return replace(failure, message=failure.message.replace(str(job), str(ask), 1))
        agent = self._options.agent
        address = agent.address if agent and job.operation == _AGENT else self._clients.address(ask.service, ask.region)
        return self._deadline.failure(f"{ask} at {address}" if address else str(ask))

    def close(self) -> None:
        """Close the connections."""
        self._wire.close()

    def call(self, job: Job, **parameters: object) -> Mapping[str, Any] | Refusal:
        """Make a job's call."""
        ask, words = job.asks[0], self.words(job)
        client = attempt(lambda: self._clients.client(ask.service, ask.region), words, setting_up=True)
        if isinstance(client, Refusal):
            return client
        if holds_credentials(client.meta.endpoint_url):
            return Refusal(_WITH_CREDENTIALS, words=words)
        words = {**words, "partition": client.meta.partition, "address": client.meta.endpoint_url}
        if is_open(client.meta.endpoint_url) and not self._options.allow_http:
            return Refusal(_OPEN, words=words)
        return attempt(lambda: call(client, self._wire, job.operation, parameters), words)

    def words(self, job: Job) -> Mapping[str, str]:
        """What is known for the tips of a job's failures."""
        region = job.asks[0].region or self._clients.region or "none"
        return {"region": region, "origin": self._clients.origin, "partition": "aws"}
