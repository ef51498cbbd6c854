#ifndef CFILES_H
#define CFILES_H

#include <stddef.h>
#include <stdint.h>

/* Calls that Swift's import of the C library hides. Those of Linux fail with ENOTSUP elsewhere. */

/* Opens a new file without a name on the file system of a folder, for reading and writing.
   -1 and errno on failure, in particular where the file system cannot do it. */
int lyco_open_unnamed(const char *folder, unsigned mode);

/* Starts writing a range of a file to disk without waiting for it. 0 or -1 and errno. */
int lyco_start_writeback(int file, int64_t offset, int64_t count);

/* Has what is written to a file from now on go past the page cache, or through it again. Past it, memory, places and
   counts must be multiples of what the disk reads at once, 4 KiB at most. 0 or -1 and errno, where the file system cannot. */
int lyco_write_directly(int file, int is_direct);

/* Makes a file as long as it will be, with room on the disk for all of it. 0 or -1 and errno, where that is not to be
   had at once. */
int lyco_reserve(int file, int64_t size);

/* Takes the exclusive lock of an open file or folder (flock), waiting for it or not. 0 or -1 and errno. The name
   is that of a structure in Swift. */
int lyco_lock(int file, int waits);

/* Whether a signal is ignored, 1 or 0. */
int lyco_is_ignored(int number);

/* Columns of the terminal that a file is; 0 if it does not tell, -1 if it is none. */
int lyco_terminal_columns(int file);

/* Keeps freed blocks of up to 32 MiB, the most glibc allows, in the process: what workers allocate
   in turn is then not zeroed and faulted in anew each time. Nothing without glibc. */
void lyco_keep_freed_memory(void);

/* Keeps freed blocks of any size, in one heap for all threads: for work that asks for the same big blocks in every
   round. A step of training takes up to an eighth less time by it, and up to a sixth less memory, since heaps of
   threads are of 64 MiB, of which a block leaves much unused. To be called before there is a second thread.
   Nothing without glibc. */
void lyco_keep_all_freed_memory(void);

/* Handles bus errors from now on: a read of what another program has cut off of a mapped file ends the
   process with status 1 and a line that names the file. For whole programs; a library leaves signals alone. */
void lyco_explain_bus_errors(void);

/* Remembers where a file is mapped, for that line. */
void lyco_watch_mapping(const void *start, size_t count, const char *path);
void lyco_forget_mapping(const void *start);

/* Makes memory without a name, which other processes of the user can open as /proc/PID/fd/NUMBER; none of it is taken
   before it is written to. A descriptor; -1 and errno on failure. */
int lyco_make_memory(int64_t size);

/* Processors that the process may run on; 0 where the system does not tell. */
int lyco_usable_processors(void);

/* Bytes of address space that the process may have; -1 for any number. Below 1 GiB it does not even start. */
int64_t lyco_memory_limit(void);

/* Whether the process may use the tiles of AMX for bf16: a processor has them, and the system gives them. */
int lyco_permits_tiles(void);

/* The commit that the tools were built from; empty where nobody said it. scripts/package/link-tools.py links another
   definition in its place, so that a commit by itself has nothing compiled anew. */
const char *lyco_commit(void);

/* A symbol of a library that is loaded when the first is looked up, and whose symbols all others see. What the process
   has already comes first: a package may have linked the library under a name of its own. Ends the process with status 1
   and a line that says what to install where there is none.
   library: NULL before the first, the library after it. package: Debian's. */
void *lyco_symbol(const char *name, void **library, const char *file, const char *package);

#endif
