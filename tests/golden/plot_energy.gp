# gnuplot 5
set terminal svg size 720,432 dynamic noenhanced font 'Helvetica,14' background 'white'
set output 'energy.svg'
set encoding utf8
set title 'it''s a sweep' noenhanced
set xlabel 'size' noenhanced
set ylabel 'GPU energy (J)' noenhanced
set grid ytics linetype 1 linecolor rgb '#dddddd'
set border 3
set tics nomirror out
set key outside bottom center horizontal
set yrange [0:*]
set offsets graph 0.03, graph 0.03, 0, 0
# 'GPU energy (simulated)'
$series0 << EOD
112 40.4 33.90744871351686 46.89255128648314
224 161.6 135.62979485406743 187.57020514593256
448 646.4 542.5191794162697 750.2808205837302
EOD
plot $series0 using 1:2 with lines linecolor rgb '#0072B2' notitle, \
     $series0 using 1:2:3:4 with yerrorbars linecolor rgb '#0072B2' pointtype 5 title 'GPU energy (simulated)' noenhanced
