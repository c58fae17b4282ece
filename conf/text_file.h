/* text_file.h: a whole small regular file, read from a descriptor. Called where documents are read
 * from files, and by the reader and `check`. Opens nothing.
 */
#ifndef GATEHOUSE_CONF_TEXT_FILE_H
#define GATEHOUSE_CONF_TEXT_FILE_H

#include "shared/buffer.h"

/* Appends the file's bytes, at most 16 MiB (DOCUMENT_FILE_MAX). 0; -EINVAL when it is no regular
 * file, -EFBIG, -ENOMEM, or what read(2) says. The descriptor stays open. */
int text_file_read(int fd, struct buffer *out);

/* The error as a user is told: "cannot be read: Permission denied". Borrowed until the next call.
 */
const char *text_file_reason(int error);

#endif
