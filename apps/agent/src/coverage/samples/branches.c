#include "shapes.h"

/* Every shape of flow that a counter can be left out of. */
int choose(int x)
{
	if (x > 1)
		return 7;
	if (x > 2)
		return 8;
	return x;
}

static int never(int x)
{
	return x * 2;
}

int loop(int n, int (*call)(int))
{
	int i, sum = 0;

	for (i = 0; i < n; i++) {
		if (i % 3 == 0)
			continue;
		switch (i) {
		case 1:
			sum += call(i);
			break;
		case 4:
			goto out;
		case 5:
			sum -= never(i);
			break;
		default:
			sum++;
		}
	}
	while (n-- > 100)
		sum += n;
out:
	return sum + twice(sum) + (n > 0 ? 1 : never(2));
}

int unused(int x)
{
	return x > 3 ? never(x) : x;
}
