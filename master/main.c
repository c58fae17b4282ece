#include <stdio.h>
#include <string.h>

int main(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], "--version") == 0) {
        puts("gatehouse 0.1");
        return 0;
    }
    fputs("usage: gatehouse --version\n", stderr);
    return 64;
}
