#include "ui/cli.h"

int cli_script(const struct cli_options *o)
{
    struct pare_error err = {.code = PARE_ERR_USAGE};
    return cli_fail(o, &err);
}
