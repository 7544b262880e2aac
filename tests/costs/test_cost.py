from keras_mixvit.costs._cost import Cost


def test_flops_are_two_per_multiply_add_and_one_per_other_operation():
    cost = Cost(1000, 100, 20, 7, 5, 3, per_call=10_000)
    assert cost.flops == 2 * 1000 + 100 + 20 + 7 + 5 + 3
    assert cost.with_norms == 1020


def test_arithmetic_is_by_field():
    cost, other = Cost(7, 6, 5, 4, 3, 2, 1), Cost(multiply_adds=1, per_call=2)
    assert cost + other == Cost(8, 6, 5, 4, 3, 2, 3)
    assert cost - other == Cost(6, 6, 5, 4, 3, 2, -1)
    assert cost // 2 == Cost(3, 3, 2, 2, 1, 1, 0)
