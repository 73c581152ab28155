#include <string.h>

#include "pare.h"

enum { SCOPE_UI, SCOPE_CORE };

static const struct pare_command_info commands[] = {
#define PARE_COMMAND(id, name, arguments, keys, scope, help)                                        \
    {name, arguments, keys, help, SCOPE_##scope == SCOPE_CORE},
#include "command/commands.inc"
};

int pare_command_count(void)
{
    return (int)(sizeof commands / sizeof commands[0]);
}

const struct pare_command_info *pare_command_info(int i)
{
    return &commands[i];
}

int pare_command_find(const char *name)
{
    for (int i = 0; i < pare_command_count(); i++) {
        if (strcmp(commands[i].name, name) == 0) {
            return i;
        }
    }
    return -1;
}
