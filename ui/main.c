#include <stdio.h>
#include <string.h>

int main(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "--version") == 0) {
        puts("pare " PARE_VERSION);
        return 0;
    }
    fputs("pare: expected a pipeline\n", stderr);
    return 2;
}
