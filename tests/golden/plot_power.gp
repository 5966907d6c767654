# gnuplot 5
set terminal pngcairo size 1440,864 noenhanced font 'Sans,22'
set output 'power.png'
set encoding utf8
set title 'size=112 repeat 0' noenhanced
set xlabel 'time (s)' noenhanced
set ylabel 'power (W)' noenhanced
set grid ytics linetype 1 linecolor rgb '#dddddd'
set border 3
set tics nomirror out
set key outside bottom center horizontal
set yrange [0:*]
set object rectangle from 0.5, graph 0 to 2.5, graph 1 behind fillstyle transparent solid 0.15 noborder fillcolor rgb '#56B4E9'
set label 'epoch' at 0.5, graph 0.97 left offset 0.3,0 noenhanced
# 'gpu0 (simulated)'
$series0 << EOD
0 50 50 50
1 200 200 200
3 60 60 60
EOD
plot $series0 using 1:2 with lines linecolor rgb '#0072B2' linewidth 1.5 title 'gpu0 (simulated)' noenhanced
