"""Exercises of lesson 26: commands under way, the regulator's gain, a filter's update, advantages."""

import numpy as np
import scipy.linalg

from .form import exercise


def _chance(seed):
    return np.random.default_rng([26, seed])


def _covariance(size, seed, scale=1.0):
    root = _chance(seed).normal(size=(size, size))
    return scale * (root @ root.T + 0.1 * np.eye(size))


@exercise(returns="two float arrays", points=2)
def with_delay(A, B, delay):
    # column by column: what one number of the state, or one of the command, becomes
    n, k = B.shape
    size = n + delay * k

    def after(x, way, u):
        return np.concatenate([A @ x + B @ way[0], *way[1:], u])

    columns = []
    for one in np.eye(size + k):
        way = [one[n + k * step : n + k * (step + 1)] for step in range(delay)]
        columns.append(after(one[:n], way, one[size:]))
    whole = np.stack(columns, axis=1)
    return whole[:, :size], whole[:, size:]


@with_delay.cases
def _():
    yield "the worked example", np.array([[2.0]]), np.array([[3.0]]), 1
    yield "two numbers, one command, delay 2", np.array([[1.0, 0.5], [0.0, 0.9]]), np.array([[0.0], [2.0]]), 2
    draw = _chance(0).normal
    yield "five numbers, two commands, delay 3", draw(size=(5, 5)), draw(size=(5, 2)), 3
    yield "more commands than numbers", draw(size=(2, 2)), draw(size=(2, 3)), 2
    yield "delay 1, two commands", draw(size=(3, 3)), draw(size=(3, 2)), 1
    yield "a long delay", draw(size=(1, 1)), draw(size=(1, 1)), 7


@with_delay.usual
def with_delay(A, B, delay):
    n, k = B.shape
    F, G = np.zeros((n + delay * k, n + delay * k)), np.zeros((n + delay * k, k))
    F[:n, :n], F[:n, n : n + k] = A, B
    F[n : n + (delay - 1) * k, n + k :] = np.eye((delay - 1) * k)
    G[n + (delay - 1) * k :] = np.eye(k)
    return F, G


with_delay.slip("F[:n, n : n + k] = A, B", "F[:n, n + (delay - 1) * k :] = A, B", "newest").says(
    "the newest command on its way moves x. The oldest arrives first: B stands right beside A."
)
with_delay.slip("    G[n + (delay - 1) * k :] = np.eye(k)\n", "    G[:n] = B\n", "at once").says(
    "the new command moves x at once. It goes to the end of the queue: G holds an identity in its last rows."
)


@with_delay.mistake("newest first", "the queue is kept newest first. The text wants the oldest command first.")
def _(A, B, delay):
    n, k = B.shape
    F, G = np.zeros((n + delay * k, n + delay * k)), np.zeros((n + delay * k, k))
    F[:n, :n], F[:n, n + (delay - 1) * k :] = A, B
    F[n + k :, n : n + (delay - 1) * k] = np.eye((delay - 1) * k)
    G[n : n + k] = np.eye(k)
    return F, G


@with_delay.mistake("kept", "commands stay where they are. Each step they move up by one place of k numbers.")
def _(A, B, delay):
    n, k = B.shape
    F, G = np.zeros((n + delay * k, n + delay * k)), np.zeros((n + delay * k, k))
    F[:n, :n], F[:n, n : n + k] = A, B
    F[n:, n:] = np.eye(delay * k)
    G[n + (delay - 1) * k :] = np.eye(k)
    return F, G


@with_delay.mistake(
    "by one", "commands move up by one number. One command has k numbers, so the ones stand k to the right."
)
def _(A, B, delay):
    n, k = B.shape
    F, G = np.zeros((n + delay * k, n + delay * k)), np.zeros((n + delay * k, k))
    F[:n, :n], F[:n, n : n + k] = A, B
    F[n:, n:] = np.eye(delay * k, k=1)
    G[n + (delay - 1) * k :] = np.eye(k)
    return F, G


@exercise(returns="float array (k, n)", points=3, tolerance=1e-5)
def lqr_gain(F, G, Q, R):
    P = scipy.linalg.solve_discrete_are(F, G, Q, R)
    return np.linalg.inv(R + G.T @ P @ G) @ G.T @ P @ F


@lqr_gain.cases
def _():
    one = np.ones((1, 1))
    yield "the worked example", one, one, one, one
    unstable = np.array([[1.1, 0.3], [0.0, 0.7]])
    yield "an unstable number", unstable, np.array([[0.0], [1.0]]), np.eye(2), np.array([[0.5]])
    draw = _chance(1).normal
    yield "three numbers, two commands", draw(size=(3, 3)), draw(size=(3, 2)), np.eye(3), _covariance(2, 2)
    late = np.array([[1.07, 0.4, 0.0], [0.0, 0.0, 1.0], [0.0, 0.0, 0.0]])
    cheap = np.diag([1.0, 0.0, 0.0])
    yield "a command that arrives two steps late", late, np.array([[0.0], [0.0], [1.0]]), cheap, np.array([[0.1]])
    yield "dear commands", unstable, np.array([[0.0], [1.0]]), np.eye(2), np.array([[50.0]])
    yield "a plasma that falls slowly", np.array([[1.01]]), np.array([[0.1]]), one, one
    mixed = np.array([[2.0, 0.5], [0.5, 1.0]])
    yield "costs that mix", draw(size=(2, 2)), np.eye(2), mixed, np.array([[1.0, 0.3], [0.3, 2.0]])
    yield "one number, three commands", np.array([[1.5]]), np.array([[1.0, -0.5, 0.2]]), one, np.eye(3)


@lqr_gain.usual
def lqr_gain(F, G, Q, R):
    P, before = Q, np.inf
    while np.abs(P - before).max() > 1e-9:
        before = P
        L = np.linalg.solve(R + G.T @ P @ G, G.T @ P @ F)
        P = Q + F.T @ P @ (F - G @ L)
    return L


lqr_gain.slip("> 1e-9", "> 1e-1", "too soon").says(
    "close, but not there yet. Repeat until no number of P changes by more than 1e-9."
)


@lqr_gain.mistake("one round", "one round only: this is the best command if the next step were the last. Repeat it.")
def _(F, G, Q, R):
    return np.linalg.solve(R + G.T @ Q @ G, G.T @ Q @ F)


@lqr_gain.mistake("pays", "that is P, what is still to be paid. Return the gain L, (k, n).")
def _(F, G, Q, R):
    return scipy.linalg.solve_discrete_are(F, G, Q, R)


@lqr_gain.mistake("free commands", "R is missing: commands are not free. The inverse is of R + G' P G.")
def _(F, G, Q, R):
    P, before = Q, np.inf
    for _ in range(5000):
        before = P
        L = np.linalg.pinv(G.T @ P @ G) @ G.T @ P @ F
        P = Q + F.T @ P @ (F - G @ L)
        if not np.isfinite(P).all() or np.abs(P - before).max() < 1e-9:
            break
    return L


@lqr_gain.mistake("sign", "right but for the sign: the text's command is u = -L s.")
def _(F, G, Q, R):
    P = scipy.linalg.solve_discrete_are(F, G, Q, R)
    return -np.linalg.solve(R + G.T @ P @ G, G.T @ P @ F)


@lqr_gain.mistake(
    "gain settles", "you stopped when L stayed as it was. With a delay it is 0 for the first rounds: look at P."
)
def _(F, G, Q, R):
    P, L, before = Q, np.zeros((G.shape[1], len(F))), np.inf
    while np.abs(L - before).max() > 1e-10:
        before = L
        L = np.linalg.solve(R + G.T @ P @ G, G.T @ P @ F)
        P = Q + F.T @ P @ (F - G @ L)
    return L


@lqr_gain.mistake(
    "transposed", "F and its transpose have changed places. What is still to be paid looks back through F transposed."
)
def _(F, G, Q, R):
    P = Q
    for _ in range(2000):
        L = np.linalg.solve(R + G.T @ P @ G, G.T @ P @ F.T)
        P = Q + F @ P @ (F.T - G @ L)
        if not np.isfinite(P).all() or np.abs(P).max() > 1e9:
            break
    return L


@exercise(returns="arrays (n,) and (n, n)", points=2)
def kalman_update(x, P, y, C, V):
    # the mean and covariance of x given y, by the information form
    if np.linalg.cond(P) < 1e8:
        sure = np.linalg.inv(np.linalg.inv(P) + C.T @ np.linalg.inv(V) @ C)
        return sure @ (np.linalg.inv(P) @ x + C.T @ np.linalg.inv(V) @ y), sure
    K = P @ C.T @ np.linalg.inv(C @ P @ C.T + V)
    return x + K @ (y - C @ x), P - K @ C @ P


@kalman_update.cases
def _():
    one = np.ones((1, 1))
    yield "the worked example", np.zeros(1), one, np.array([2.0]), one, one
    draw = _chance(3).normal
    two = np.eye(4)[[0, 2]]
    yield "two of four numbers measured", draw(size=4), _covariance(4, 4), draw(size=2), two, 0.1 * np.eye(2)
    yield "a mixture measured", draw(size=3), _covariance(3, 5), draw(size=1), draw(size=(1, 3)), 0.5 * one
    yield "more sensors than numbers", draw(size=2), _covariance(2, 6), draw(size=4), draw(size=(4, 2)), np.eye(4)
    yield "noises that go together", draw(size=3), _covariance(3, 7), draw(size=2), draw(size=(2, 3)), _covariance(2, 8)
    yield "a poor sensor", draw(size=2), _covariance(2, 9), draw(size=1), np.array([[1.0, 0.0]]), 1e4 * one
    known = np.diag([1.0, 0.0])
    yield "a number that is known already", draw(size=2), known, draw(size=1), np.array([[1.0, 1.0]]), one


@kalman_update.usual
def kalman_update(x, P, y, C, V):
    S = C @ P @ C.T + V
    K = np.linalg.solve(S, C @ P).T  # both S and P are symmetric
    return x + K @ (y - C @ x), P - K @ C @ P


kalman_update.slip("(y - C @ x)", "y", "no surprise").says(
    "the measurement itself was added. What counts is the surprise: y less what was expected, C x."
)
kalman_update.slip("P - K @ C @ P", "P", "as unsure").says(
    "the estimate is right, but the covariance stayed. A measurement makes you surer: P - K C P."
)
kalman_update.slip("C @ P @ C.T + V", "C @ P @ C.T + V * V", "squared noise").says(
    "V is a covariance already. Do not square it."
)
kalman_update.slip("P - K @ C @ P", "P + K @ C @ P", "less sure").says(
    "the covariance grew. What a measurement tells is taken away from it."
)


@kalman_update.mistake("trusts the sensor", "the noise is missing below the line: K = P C' (C P C' + V)^-1.")
def _(x, P, y, C, V):
    K = P @ C.T @ np.linalg.pinv(C @ P @ C.T)
    return x + K @ (y - C @ x), P - K @ C @ P


@exercise(returns="float array (time, shots)", points=3)
def gae(reward, value, alive, gamma, lam):
    # forwards, by the sum that the recursion stands for
    time, shots = reward.shape
    found = np.zeros((time, shots))
    for shot in range(shots):
        for t in range(time):
            if not alive[t, shot]:
                continue
            for later in range(t, time):
                goes_on = float(alive[later + 1, shot])
                delta = reward[later, shot] + gamma * value[later + 1, shot] * goes_on - value[later, shot]
                found[t, shot] += (gamma * lam) ** (later - t) * delta
                if not goes_on:
                    break
    return found


@gae.cases
def _():
    all_along = np.ones((3, 1))
    two = np.full((3, 1), 2.0)
    yield "the worked example", np.ones((2, 1)), two, all_along, 0.5, 0.5
    yield "lost in the second step", np.ones((2, 1)), two, np.array([[1.0], [1.0], [0.0]]), 0.5, 0.5
    draw = _chance(11)
    yield "eight steps, three shots", draw.normal(size=(8, 3)), draw.normal(size=(9, 3)), np.ones((9, 3)), 0.99, 0.95
    lost = (np.arange(9)[:, None] < np.array([9, 4, 1, 0])).astype(float)
    yield "lost at different times", draw.normal(size=(8, 4)), draw.normal(size=(9, 4)), lost, 0.9, 0.8
    yield "alive in truth values", draw.normal(size=(8, 4)), draw.normal(size=(9, 4)), lost.astype(bool), 0.9, 0.8
    last = np.ones((5, 2))
    last[-1, 1] = 0
    yield "lost in the very last step", draw.normal(size=(4, 2)), draw.normal(size=(5, 2)), last, 0.95, 0.9
    yield "one step of trust", draw.normal(size=(5, 2)), draw.normal(size=(6, 2)), np.ones((6, 2)), 0.9, 0.0
    yield "no trust in the critic", draw.normal(size=(5, 2)), draw.normal(size=(6, 2)), np.ones((6, 2)), 1.0, 1.0
    yield "one step, one shot", draw.normal(size=(1, 1)), draw.normal(size=(2, 1)), np.ones((2, 1)), 0.7, 0.6


@gae.usual
def gae(reward, value, alive, gamma, lam):
    advantage, later = np.zeros(reward.shape), np.zeros(reward.shape[1])
    for t in reversed(range(len(reward))):
        delta = reward[t] + gamma * value[t + 1] * alive[t + 1] - value[t]
        later = alive[t] * (delta + gamma * lam * later)
        advantage[t] = later
    return advantage


gae.slip("value[t + 1] * alive[t + 1]", "value[t + 1]", "life after loss").says(
    "a lost plasma was promised a future. The next value counts only where alive[t + 1] is 1."
)
gae.slip("alive[t] * (delta + gamma * lam * later)", "delta + gamma * lam * later", "the dead").says(
    "advantages of lost plasmas are not 0, and they flow back across the loss. Multiply by alive[t]."
)
gae.slip("gamma * lam * later", "lam * later", "no discount").says(
    "what comes later is discounted by lambda alone. It is gamma times lambda."
)
gae.slip(" - value[t]", "", "no baseline").says(
    "what the critic foresaw before the step is missing: an advantage is what came less what was expected."
)


@gae.mistake("one step", "these are the one-step deltas. Add gamma times lambda times the next advantage.")
def _(reward, value, alive, gamma, lam):
    return alive[:-1] * (reward + gamma * value[1:] * alive[1:] - value[:-1])
