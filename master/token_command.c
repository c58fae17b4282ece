#include "master/token_command.h"

#include "master/token_inspect.h"
#include "master/token_keygen.h"
#include "master/token_mint.h"

#include <stdio.h>
#include <string.h>

static const char token_usage[] = "usage: gatehouse token keygen|mint|inspect [--help]\n"
                                  "\n"
                                  "  keygen   makes a private key and its public key set\n"
                                  "  mint     prints a signed JSON Web Token\n"
                                  "  inspect  shows what a token says, and checks its signature\n";

int token_command(int argc, char **argv)
{
    if (argc < 1) {
        fputs(token_usage, stderr);
        return TOKEN_EXIT_USAGE;
    }
    if (strcmp(argv[0], "keygen") == 0)
        return token_keygen(argc - 1, argv + 1);
    if (strcmp(argv[0], "mint") == 0)
        return token_mint(argc - 1, argv + 1);
    if (strcmp(argv[0], "inspect") == 0)
        return token_inspect(argc - 1, argv + 1);
    if (strcmp(argv[0], "--help") == 0 || strcmp(argv[0], "-h") == 0) {
        fputs(token_usage, stdout);
        return 0;
    }
    fprintf(stderr, "gatehouse token: there is no command `%s`; keygen, mint and inspect are\n",
            argv[0]);
    return TOKEN_EXIT_USAGE;
}
