"""The fit of one window: a dark slot, blurred, under noise. Many windows are solved at once.

fit_windows  the room's door: profiles -> width, contrast, uncertainty
slot         the blurred box and its derivatives
start        where the climb begins
climb        Levenberg-Marquardt on the posterior
noise        correlated noise of pavement, and its covariance
whitening    that covariance taken out, in sums that no thread changes
posterior    width, contrast and uncertainty at the maximum
medians      medians of masked rows, weighted quantiles
fit_width    the same for anyone's profile: `fit_width`, `fit_widths`
"""
