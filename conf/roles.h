/* roles.h: the entries of the configuration side. Each returns the exit status. */
#ifndef GATEHOUSE_CONF_ROLES_H
#define GATEHOUSE_CONF_ROLES_H

#include <stddef.h>

/* Reads gatehouse.yaml from SETTINGS_FILE_FD (its path in `--path`), sends MESSAGE_SETTINGS and
 * exits 0; 78 after every error was logged. */
int reader_main(int argc, char **argv);
/* Sends MESSAGE_STDIO_APPS: the stdio servers of gatehouse.yaml, again from SETTINGS_FILE_FD, and
 * of resources_dir, with those of master's last MESSAGE_STDIO_APPS whose file there cannot be used
 * now; exits 0; 78 after every error was logged when one of gatehouse.yaml is refused.
 */
int collector_main(int argc, char **argv);
/* Publishes documents, key sets and addresses into state/config, until drained. */
int watcher_main(int argc, char **argv);
/* `gatehouse check -c FILE`: validates settings and resources, prints every error on standard
 * error; 0 or 78. */
int check_main(const char *path);
/* For the commands that look at a state directory: gate.state_dir of the settings file, absolute,
 * NUL-terminated. 0; 78 after every error was printed on standard error. */
int state_dir_read(const char *path, char *out, size_t room);

#endif
