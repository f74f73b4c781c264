class Arguments:
    disable_metadata: bool
    multi_user: bool

args: Arguments
