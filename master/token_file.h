/* token_file.h: the small files of the token commands, read whole or made anew.
 *
 * Called by token_keygen, token_mint and token_inspect. Never overwrites a file.
 */
#ifndef GATEHOUSE_MASTER_TOKEN_FILE_H
#define GATEHOUSE_MASTER_TOKEN_FILE_H

#include "shared/buffer.h"

#include <sys/types.h>

enum { TOKEN_FILE_MAX = 1024 * 1024 }; /* bytes read */

/* Appends a descriptor's bytes up to its end. 0, -EFBIG over TOKEN_FILE_MAX, or negative errno. */
int token_file_read_descriptor(int descriptor, struct buffer *out);
/* Same for a file's. */
int token_file_read(const char *path, struct buffer *out);

/* Makes a file of exactly this mode, with these bytes, on disk; -EEXIST when something bears its
 * name (a symbolic link, too). On an error there is no file. */
int token_file_create(const char *path, mode_t mode, struct slice bytes);

#endif
