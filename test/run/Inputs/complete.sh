# complete.sh SCRIPT WORD…: what the script offers for the last word.
. "$1"
shift
COMP_WORDS=("$@")
COMP_CWORD=$(($# - 1))
_boo
echo "${COMPREPLY[@]}"
