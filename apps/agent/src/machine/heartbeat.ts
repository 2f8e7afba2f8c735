/**
 * Shell text that prints the size of a file on a stream, every few seconds in which it has changed, until `kill "$beat"`
 * or the end of its shell: a command whose limit is a time of silence shows that it goes on. On an emulated machine beside other
 * work everything takes a multiple of its time.
 * @param file as the shell reads it, such as `"$list"`
 * @param everySeconds a number that `sleep` takes
 */
export const heartbeat = (file: string, stream: 1 | 2, everySeconds = 5): string => `( size=''
  while kill -0 $$ 2>/dev/null && sleep ${everySeconds} >/dev/null 2>&1; do
    now=$(stat -c %s ${file})
    [ "$now" = "$size" ] || echo "$now" >&${stream}
    size=$now
  done ) &
beat=$!`;
