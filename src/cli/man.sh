#!/bin/sh
# man.sh PROGRAM: the man page of cyto on standard output, made of the program's own help.
set -eu
cyto=$1
version=$("$cyto" --version | head -n 1)
# Text as it stands: backslashes doubled, no line begins a request, dashes stay dashes.
plain() { sed -e 's/\\/\\e/g' -e "s/^\\([.']\\)/\\\\\\&\\1/" -e 's/-/\\-/g'; }
commands=$("$cyto" | sed -n '/^Commands:/,/^$/s/^  \([a-z]*\) .*/\1/p')

printf '.TH CYTO 1 "" "%s" "Cytograd"\n' "$version"
printf '.SH NAME\ncyto \\- deep learning for single\\-cell hematology\n'
printf '.SH SYNOPSIS\n.B cyto\n.I command\n[options] [paths]\n'
printf '.SH DESCRIPTION\n.nf\n'
"$cyto" | plain
printf '.fi\n'
for command in $commands; do
  printf '.SH "CYTO %s"\n.nf\n' "$(printf %s "$command" | tr a-z A-Z)"
  "$cyto" help "$command" | plain
  printf '.fi\n'
done
cat <<'END'
.SH EXIT STATUS
0 done; 1 a bug in cyto; 2 command line or settings; 3 input data; 4 file system; 5 memory or
device; 6 training diverged; 130 and 143 stopped by a signal after a checkpoint.
.SH ENVIRONMENT
Every setting has a variable: CYTO_LR for \-\-lr. OMP_NUM_THREADS and NO_COLOR are honoured.
END
