#include "ui/workbench.h"

int workbench_run(const struct cli_options *o)
{
    return cli_summary(o);
}
