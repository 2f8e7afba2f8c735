int choose(int x);
int loop(int n, int (*call)(int));

int main(void)
{
	return choose(2) - 7 + choose(0) + (loop(5, choose) > 100);
}
