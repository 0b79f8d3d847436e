"""How an operator resets a run so that it forgets the messages it was sent."""

from temporalio.api.enums.v1 import ResetReapplyExcludeType, ResetReapplyType

FORGETTING = {
    "reset_reapply_type": ResetReapplyType.RESET_REAPPLY_TYPE_NONE,
    "reset_reapply_exclude_types": [
        ResetReapplyExcludeType.RESET_REAPPLY_EXCLUDE_TYPE_SIGNAL,
        ResetReapplyExcludeType.RESET_REAPPLY_EXCLUDE_TYPE_UPDATE,
    ],
}
