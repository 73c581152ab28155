#include "pk.h"

const char *pk_isa_name(enum pk_isa isa)
{
    static const char *const names[PK_ISA_COUNT] = {"ref", "avx2", "avxvnni", "avx512", "avx512vnni"};
    return isa >= 0 && isa < PK_ISA_COUNT ? names[isa] : "?";
}
