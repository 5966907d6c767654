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
112 40.4 33.90751282173004 46.89248717826996
224 161.6 135.63005128692015 187.56994871307984
448 646.4 542.5202051476806 750.2797948523194
EOD
plot $series0 using 1:2 with lines linecolor rgb '#0072B2' notitle, \
     $series0 using 1:2:3:4 with yerrorbars linecolor rgb '#0072B2' pointtype 5 title 'GPU energy (simulated)' noenhanced
