#include "shared/store_reader.h"

#include <inttypes.h>
#include <stdio.h>

int store_reader_oldest(const char *line, void *oldest)
{
    uint64_t *least = oldest;
    uint64_t transaction;

    if (sscanf(line, "%*d %*x %" SCNu64, &transaction) == 1 && transaction < *least)
        *least = transaction;
    return 0;
}
