#include "base/pages.h"

#include <stdint.h>
#include <stdlib.h>

#ifdef __linux__
#include <sys/mman.h>
#endif

enum { HUGE_PAGE = 2 << 20 };

void *pare_pages_alloc(size_t n)
{
    const size_t align = n >= HUGE_PAGE ? HUGE_PAGE : 64;
    if (n > SIZE_MAX - 2 * HUGE_PAGE) {
        return NULL;
    }
    void *p = aligned_alloc(align, (n / align + 1) * align); /* what rounds up is never touched */
#if defined __linux__ && defined MADV_HUGEPAGE
    if (p != NULL && n >= HUGE_PAGE) { /* refused: small pages */
        (void)madvise(p, n / HUGE_PAGE * HUGE_PAGE, MADV_HUGEPAGE);
    }
#endif
    return p;
}
