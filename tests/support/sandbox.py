"""The workflow sandbox, in which every test and every replay runs its stories: what it finds never reaches a worker."""

from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner, SandboxRestrictions


def sandbox() -> SandboxedWorkflowRunner:
    """With our own pure packages passed through: loading them for each run costs most of its CPU."""
    passed = ("domain", "activities", "workflows")
    return SandboxedWorkflowRunner(restrictions=SandboxRestrictions.default.with_passthrough_modules(*passed))
