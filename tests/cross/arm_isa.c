/* arm_isa: prints the instruction set that the dispatcher chooses here. */
#include "pk.h"

#include <stdio.h>

int main(void)
{
    puts(pk_isa_name(pk_isa_best()));
    return 0;
}
