/* token_print.h: JSON and times as people read them. Called by token_inspect.
 *
 * What it prints came from a stranger: control characters never reach the terminal.
 */
#ifndef GATEHOUSE_MASTER_TOKEN_PRINT_H
#define GATEHOUSE_MASTER_TOKEN_PRINT_H

#include "shared/slice.h"

#include <stdint.h>
#include <stdio.h>

/* JSON that json_parse accepted, one member or element a line, each line begun with two spaces. */
void token_print_json(struct slice json, FILE *out);

/* "2026-01-02 03:04:05 UTC, in 10 minutes"; both are wall seconds. */
void token_print_time(int64_t time, int64_t now, FILE *out);

#endif
